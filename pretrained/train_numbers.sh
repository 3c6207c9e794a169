#!/bin/sh
# Trains numbers.keras from digits.keras, with nothing but the installed packages and the fonts of
# `make fonts`: 56 minutes on two cores beside other programs, at 3 steps a second. If it is
# interrupted, the same command resumes.
set -eu
exec "${PYTHON:-.venv/bin/python}" train.py --model-dir checkpoints/numbers --held-out none \
    --init-from digits --architecture deeper --context attention \
    --alphabet numbers --text-source numbers --max-length 14 \
    --fonts trdg matplotlib "${FONTS:-fonts/made}" --photo 0.85 --elastic 0.03 \
    --recipe photo:3 serial:1.5 receipt:5.5 display:5.5 screen:1.5 counter:4.5 handwriting:4.5 blank:0.3 \
    --batch-size 64 --steps 10000 --warmup 300 --learning-rate 2.5e-3 --average 0.999 --final-rate 0.05 \
    --interval 1500 --validation-lines 500 --patience 0 --seed 25 "$@"
