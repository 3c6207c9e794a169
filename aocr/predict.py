"""`aocr predict`: read images, here or as a Beam pipeline."""

from dataclasses import replace

from aocr.options import PredictOptions
from ocr_simple import storage
from ocr_simple.reading_commands import piped, plan


def run(options: PredictOptions, _: list[str]) -> int:
    """Print the text of each image. Returns the exit status.

    Raises ValueError for a missing model before TensorFlow is imported.
    """
    if not options.runner and (options.output or options.shards != 1):
        raise ValueError(
            "--output and --shards need --runner; without it, redirect the output: > FILE"
        )
    if options.runner and not options.output:
        raise ValueError(f"--runner {options.runner}: name a file to write to with --output")
    if options.output:
        storage.check_writable(options.output.parent, "--output")
    options = replace(options, paths=options.paths or ("-",))
    status = 0
    with piped():
        found = plan(options)
        if options.runner and options.output:
            from aocr import beam_pipelines

            return beam_pipelines.predict(options, found, options.output, how=options)
        import inference

        status = inference.run(found, options)
    return status
