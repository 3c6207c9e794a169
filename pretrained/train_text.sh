#!/bin/sh
# Trains a model on signs and pages with nothing but the installed packages and the fonts of `make
# fonts`: hours on two cores. If it is interrupted, the same command resumes. text.keras was made
# in several runs, which text.md describes.
set -eu
fonts="${FONTS:-fonts/made}"
exec "${PYTHON:-.venv/bin/python}" train.py --model-dir checkpoints/text --held-out none \
    --alphabet ascii --text-source recipe --words 7 --max-length 12 \
    --fonts trdg matplotlib "$fonts"/print "$fonts"/receipt "$fonts"/page "$fonts"/sign \
    --recipe words --photo 0.9 --elastic 0.02 \
    --architecture wide_residual --context attention --rnn-units 128 \
    --batch-size 64 --steps 24000 --warmup 500 --average 0.9995 --final-rate 0.15 --interval 2000 \
    --validation-lines 1000 --patience 0 "$@"
