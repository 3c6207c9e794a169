"""`aocr train`: the training of train.py, with the command line of attention-ocr.

    aocr train training.tfrecords
    python train.py --dataset training.tfrecords --head attention --interval 100  # the same

It differs from train.py only in this:

- DATASET is an argument, and not the option --dataset;
- the defaults of --head and --interval are attention and 100;
- --full-ascii means --alphabet ascii, and --no-gradient-clipping means --clip-norm 0;
- --log-path and --gpu-id are options, as of the other commands.
"""

from dataclasses import replace

from aocr.inputs import check_datasets
from aocr.options import AocrTrainOptions
from ocr_simple import storage
from ocr_simple.runs.model_files import find_model


def run(options: AocrTrainOptions, command: list[str]) -> int:
    """Train. Returns the exit status.

    Raises ValueError for missing files before TensorFlow is imported.
    """
    check_datasets((*options.dataset, *options.validation))
    if options.init_from and not storage.url_of(options.init_from):
        find_model(options.init_from)
    if not options.gradient_clipping:
        options = replace(options, clip_norm=0.0)
    if options.full_ascii:
        options = replace(options, alphabet="ascii")
    import train

    return train.run(options, command)
