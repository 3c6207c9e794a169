"""`aocr diagnose`: the diagnosis of aocr/diagnose/, and the learning curve of --curve after it."""

from aocr.diagnose import command as diagnosis
from aocr.options import DiagnoseOptions


def run(options: DiagnoseOptions, command: list[str]) -> int:
    """Report. Returns the exit status.

    Raises ValueError for what cannot work before TensorFlow is imported.
    """
    if not options.curve:
        return diagnosis.run(options, command)
    from aocr.auto import curve

    entries = curve.find_labelled(options)
    curve.announce(len(entries), options.curve_steps)
    status = diagnosis.run(options, command)
    curve.run(options, entries)
    return status
