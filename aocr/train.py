"""`aocr train`: the training of train.py, with the command line of attention-ocr.

    aocr train training.tfrecords
    python train.py --dataset training.tfrecords --head attention --interval 100  # the same

It differs from train.py only in this:

- DATASET is an argument, and not the option --dataset;
- the defaults of --head and --interval are attention and 100;
- --full-ascii means --alphabet ascii, and --no-gradient-clipping means --clip-norm 0;
- --log-path and --gpu-id are options, as of the other commands;
- --auto chooses the other options: see aocr/auto/.
"""

from dataclasses import replace

from aocr.options import AocrTrainOptions
from ocr_simple.runs.config import check


def run(options: AocrTrainOptions, command: list[str]) -> int:
    """Train. Returns the exit status.

    Raises ValueError for options that cannot work before TensorFlow is imported.
    """
    check(options)
    if not options.gradient_clipping:
        options = replace(options, clip_norm=0.0)
    if options.full_ascii:
        options = replace(options, alphabet="ascii")
    if options.preview:
        if options.auto:
            raise ValueError(
                "--preview shows lines of the options that you give, and --auto chooses them; "
                "leave one of the two out"
            )
        from ocr_simple.runs import training_preview

        return training_preview.run(options, "aocr train")
    if options.auto:
        from aocr.auto import command as auto

        return auto.run(options)
    import train

    return train.run(options, command)
