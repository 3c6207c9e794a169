"""`aocr predict`: reads images, here or as a Beam pipeline."""

from dataclasses import replace

from aocr.options import PredictOptions
from ocr_simple.runs.readings import piped, plan


def run(options: PredictOptions, _: list[str]) -> int:
    """Print what each image says. Returns the exit status. Raises ValueError."""
    asked = replace(options, paths=options.paths or ("-",))
    if not options.runner and (options.output or options.shards != 1):
        raise ValueError("output and shards are for a --runner; without one, give > FILE")
    if options.runner and not options.output:
        raise ValueError(f"runner {options.runner}: name a file to write to with --output")
    status = 0
    with piped():
        found = plan(asked)
        if options.runner and options.output:
            from aocr import beam

            return beam.predict(asked, found, options.output, how=options)
        import inference

        status = inference.run(found, asked)
    return status
