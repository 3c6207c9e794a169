#!/bin/sh
# Trains the like of digits.keras from nothing but packages, after `make fonts`: some two hours on two
# idle cores, at 5 steps a second. Stopped, the same command goes on. digits.md says how the shipped weights came about.
set -eu
exec "${PYTHON:-.venv/bin/python}" train.py --model-dir checkpoints/digits --held-out none \
    --fonts trdg matplotlib "${FONTS:-fonts/made}" \
    --recipe mixed --photo 0.85 --elastic 0.03 --max-length 14 --architecture deep --rnn-units 80 \
    --batch-size 64 --steps 40000 --warmup 500 --average 0.9998 --final-rate 0.3 --interval 2000 \
    --validation-lines 1000 --patience 0 "$@"
