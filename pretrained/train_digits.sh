#!/bin/sh
# How digits.keras was trained, from the repository's folder on Debian 12.
# Fonts beside trdg's and matplotlib's: apt-get install --no-install-recommends \
#   fonts-adf-accanthis fonts-adf-gillius fonts-adf-mekanus fonts-agave fonts-anonymous-pro \
#   fonts-b612 fonts-bwht fonts-comic-neue fonts-courier-prime fonts-dancingscript \
#   fonts-dkg-handwriting fonts-dosis fonts-dseg fonts-ecolier-court fonts-fantasque-sans \
#   fonts-femkeklaver fonts-firacode fonts-go fonts-humor-sans fonts-jetbrains-mono fonts-jura \
#   fonts-kaushanscript fonts-klee fonts-kristi fonts-leckerli-one fonts-lobster \
#   fonts-lobstertwo fonts-monofur fonts-monoid fonts-mononoki fonts-ocr-a fonts-ocr-b \
#   fonts-oxygen fonts-quattrocento fonts-roboto-slab fonts-rufscript fonts-sil-andika \
#   fonts-sjfonts fonts-tomsontalks fonts-urw-base35 fonts-yusei-magic
set -eu
o=/usr/share/fonts/opentype t=/usr/share/fonts/truetype
exec "${PYTHON:-.venv/bin/python}" train.py --model-dir checkpoints/digits --held-out none \
    --fonts trdg matplotlib $o/urw-base35/[CNPUZ]*.otf $o/b612 $o/courier-prime $o/dosis $o/jura \
    $o/lobstertwo $o/bwht $o/comic-neue $o/dancingscript $o/kaushanscript $o/lobster $t/klee \
    $t/leckerli-one $t/rufscript $t/sjfonts $t/tomsontalks $t/yusei-magic $o/ocr-b \
    $o/quattrocento $o/roboto $t/adf $t/andika $t/anonymous-pro $t/ecolier-court $t/femkeklaver \
    $t/fifthhorseman $t/humor-sans $t/kristi $t/monofur $t/mononoki $t/ocr-a $t/oxygen \
    $t/dseg/DSEG7Modern*.ttf $t/agave $t/fantasque-sans/Normal $t/firacode $t/jetbrains-mono \
    $t/monoid /usr/share/fonts/fonts-go/Go-Mono*.ttf \
    --photo 0.8 --elastic 0.035 --max-length 14 --architecture fine --rnn-units 80 \
    --batch-size 64 --steps 24000 --warmup 500 --average 0.999 --interval 2000 \
    --validation-lines 1000 --patience 0 "$@"
