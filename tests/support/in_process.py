"""The commands, run in this process: the arguments of a command line -> its exit status.

A new process takes seconds to import TensorFlow. Tests start one for what only a process has, such
as signals and pipes.
"""

import contextlib
import runpy
import shlex
import sys
from unittest import mock

import train
from aocr import cli
from ocr_simple.command_line import parse
from ocr_simple.options import TrainOptions
from support.commands import ROOT, status_of


@contextlib.contextmanager
def without_graphs():
    """TensorFlow's functions are run as they are: compiling takes longer than a few steps do."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def run_train(*arguments: object) -> int:
    """`python train.py ARGUMENTS`."""

    def main(words: list[str]) -> int:
        options = parse(TrainOptions, words, prog="train.py")
        return train.run(options, ["python", "train.py", *words])

    return status_of(main, [str(argument) for argument in arguments])


def run_inference(*arguments: object) -> int:
    """`python inference.py ARGUMENTS`: the whole script, as a main program."""

    def main(words: list[str]) -> int:
        with mock.patch.object(sys, "argv", ["inference.py", *words]):
            runpy.run_path(str(ROOT / "inference.py"), run_name="__main__")
        return 0

    return status_of(main, [str(argument) for argument in arguments])


def run_aocr(command: str, *arguments: object) -> int:
    """`aocr COMMAND ARGUMENTS`; the command is split as a shell does."""
    return status_of(cli.main, [*shlex.split(command), *map(str, arguments)])
