#!/bin/sh
# Trains a model like numbers.keras with nothing but the installed packages and the fonts of `make
# fonts`. If it is interrupted, the same command resumes. numbers.md has its curve.
set -eu
exec "${PYTHON:-.venv/bin/python}" train.py --model-dir checkpoints/numbers --held-out none \
    --alphabet numbers --text-source numbers --max-length 14 \
    --fonts trdg matplotlib "${FONTS:-fonts/made}" --recipe mixed --photo 0.85 --elastic 0.03 \
    --architecture large --context attention --rnn-units 96 \
    --batch-size 64 --steps 22000 --warmup 500 --average 0.9995 --final-rate 0.1 --interval 1000 \
    --validation-lines 500 --patience 0 --workers 0 --seed 1 "$@"
