#!/bin/sh
# Trains a model like digits.keras with nothing but the installed packages and the fonts of `make
# fonts`: about three hours on two cores, at 4 steps a second. If it is interrupted, the same
# command resumes. digits.md describes how the shipped weights were made.
set -eu
exec "${PYTHON:-.venv/bin/python}" train.py --model-dir checkpoints/digits --held-out none \
    --fonts trdg matplotlib "${FONTS:-fonts/made}" \
    --text-source numbers --max-length 14 --recipe mixed --photo 0.85 --elastic 0.03 \
    --architecture deeper --context attention --rnn-units 80 \
    --batch-size 64 --steps 40000 --warmup 500 --average 0.9998 --final-rate 0.3 --interval 2000 \
    --validation-lines 1000 --patience 0 "$@"
