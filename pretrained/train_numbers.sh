#!/bin/sh
# Trains numbers.keras with nothing but the installed packages and the fonts of `make fonts`: half an
# hour on two idle cores. If it is interrupted, the same command resumes. More --steps read better.
set -eu
exec "${PYTHON:-.venv/bin/python}" train.py --model-dir checkpoints/numbers --held-out none \
    --alphabet numbers --text-source numbers --max-length 14 \
    --fonts trdg matplotlib "${FONTS:-fonts/made}" --recipe mixed --photo 0.85 --elastic 0.03 \
    --architecture large --context attention --rnn-units 96 \
    --batch-size 64 --steps 8000 --warmup 300 --average 0.998 --final-rate 0.05 --interval 1000 \
    --validation-lines 500 --patience 0 --seed 1 "$@"
