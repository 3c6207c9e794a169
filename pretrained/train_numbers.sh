#!/bin/sh
# Trains numbers.keras with nothing but the installed packages and the fonts of `make fonts`: two
# hours on two cores beside other programs. If it is interrupted, the same command resumes. The
# second run starts from the end of the first. The shipped one's first run had the recipes of before.
set -eu
run() {
    "${PYTHON:-.venv/bin/python}" train.py --held-out none \
        --alphabet numbers --text-source numbers --max-length 14 \
        --fonts trdg matplotlib "${FONTS:-fonts/made}" --recipe mixed --photo 0.85 --elastic 0.03 \
        --architecture large --context attention --rnn-units 96 \
        --batch-size 64 --validation-lines 500 --patience 0 --interval 1000 --final-rate 0.05 "$@"
}
run --model-dir checkpoints/numbers_first --steps 8000 --warmup 300 --average 0.998 --seed 1 "$@"
run --model-dir checkpoints/numbers --init-from checkpoints/numbers_first/last.keras \
    --steps 9000 --warmup 300 --learning-rate 4e-3 --average 0.999 --seed 2 "$@"
