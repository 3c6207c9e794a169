"""Trains a model for each of several scripts, and measures it on lines drawn by Pillow alone.

    apt-get install culmus culmus-fancy fonts-sil-ezra fonts-noto-core fonts-freefont-ttf \\
        fonts-hosny-amiri fonts-hosny-thabit fonts-kacst fonts-kacst-one fonts-arabeyes \\
        fonts-freefarsi fonts-lemonada fonts-paktype fonts-sil-harmattan fonts-sil-lateef \\
        fonts-sil-scheherazade fonts-farsiweb fonts-thai-tlwg fonts-arundina \\
        fonts-gargi fonts-nakula fonts-sarai fonts-sahadeva fonts-deva-extra \\
        fonts-aksharyogini2 fonts-sil-annapurna fonts-lohit-deva fonts-samyak-deva \\
        fonts-liberation fonts-linuxlibertine fonts-crosextra-carlito fonts-vollkorn
    make fonts                                               # more families to train on, by npm
    python bench/scripts.py --languages he ar                # minutes per language
    python bench/scripts.py --languages ar --steps 4000 --learning-rate 4e-3 \\
        --init-from checkpoints/scripts --folder checkpoints/scripts2      # more steps
    python bench/scripts.py --print-commands                 # the trainings alone, for the shell

The texts are words of trdg's dictionaries, and the alphabet is their characters. Fonts are trained
on, validated on, or kept for the measurement, which no run sees. Its lines are plain black words on
white, in one call of Pillow each: nothing of this project draws them. A line counts if all of its
text is right, in logical order. Fonts that are not installed are listed.
"""

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ocr_simple.drawing.fonts import characters_drawn, find_fonts
from ocr_simple.drawing.texts import Texts
from ocr_simple.options import TextOptions
from ocr_simple.text import Alphabet

ROOT = Path(__file__).resolve().parents[1]
DEBIAN = Path("/usr/share/fonts")
NPM = ROOT / "fonts/node_modules/@fontsource"  # families in files by script, of `make fonts`
SEED = 5_000_000  # not likely to be the --seed of a training


@dataclass(frozen=True)
class Script:
    """The fonts of a language, by the beginnings of their file names; options of its training."""

    train: tuple[str, ...]
    validate: tuple[str, ...]
    measure: tuple[str, ...]
    packages: bool = False  # also train on the fonts of trdg and matplotlib
    npm: str = ""  # also train on the families that `make fonts` has for this script
    npm_without: tuple[str, ...] = ()  # but for these, which are measured on, under any name
    options: tuple[str, ...] = ()


# marks above and below are small; cropped as the lines of the measurement, which have little room
TALL = ("--height", "48", "--fit", "--average", "0.999")
SCRIPTS = {
    "he": Script(
        train=(
            "FrankRuehl", "Hadasim", "KeterYG", "MiriamMono", "Nachlieli", "Simple", "Shofar",
            "Dorian", "Shmulik", "Makabi", "SILEOT", "DejaVuSans.", "DejaVuSans-Bold.", "FreeSans",
            "FreeSerif", "FreeMono", "NotoSansHebrew-Regular", "NotoSansHebrew-Bold",
            "NotoRashiHebrew-Regular", "NotoRashiHebrew-Bold",
        ),
        validate=("NotoSerifHebrew-Regular", "NotoSerifHebrew-Bold"),
        measure=("DavidCLM-Medium.", "DavidCLM-Bold.", "MiriamCLM"),  # italics are cursive there
    ),
    "ar": Script(
        train=(
            "KacstBook", "KacstFarsi", "KacstLetter", "KacstNaskh", "KacstOffice", "KacstOne",
            "KacstPoster", "KacstQurn", "KacstScreen", "KacstTitle", "Lateef", "Amiri-Regular",
            "Amiri-Bold.", "NotoSansArabic-Regular", "NotoSansArabic-Bold", "NotoSansArabic-Light",
            "NotoKufiArabic-Regular", "NotoKufiArabic-Bold", "nazli", "titr", "homa",
            "DejaVuSans.", "FreeSerif.", "FreeFarsi", "Harmattan", "Lemonada", "PakType", "Thabit",
            "ae_",
        ),
        validate=("mry_KacstQurn",),  # the Kacst fonts lack four letters
        measure=("NotoNaskhArabic-Regular", "NotoNaskhArabic-Bold", "Scheherazade"),
        npm="arabic",
        npm_without=("scheherazade-new",),
    ),
    "th": Script(
        train=(
            "Garuda", "Kinnari", "Laksaman", "Sawasdee", "Tlwg", "Umpush", "Purisa", "Arundina",
            "NotoSansThai-Regular", "NotoSansThai-Bold", "NotoSansThai-Light",
            "NotoSerifThai-Regular", "NotoSerifThai-Bold", "NotoLoopedThai-Regular",
            "NotoSansThaiUI",
        ),
        validate=("Norasi",),
        measure=("Loma", "Waree"),
        npm="thai",
        options=TALL,
    ),
    "hi": Script(
        train=(
            "Gargi", "Sarai", "chandas", "samanata", "kalimati", "Akshar", "Annapurna",
            "NotoSansDevanagari-Regular", "NotoSansDevanagari-Bold",
            "NotoSansDevanagari-Condensed.", "NotoSansDevanagari-Light", "NotoSansDevanagariUI",
            "NotoSerifDevanagari-Condensed.", "Samyak-Devanagari", "sahadeva",
        ),
        validate=("NotoSerifDevanagari-Regular", "NotoSerifDevanagari-Bold", "nakula"),
        measure=("Lohit-Devanagari", "mukta-devanagari-400", "martel-devanagari-400"),
        npm="devanagari",
        npm_without=("mukta", "martel"),
        options=(*TALL, "--context", "attention"),  # to tell the letters of conjuncts
    ),
    "de": Script(
        train=(),
        validate=("DejaVuSerif",),
        packages=True,
        measure=("Liberation", "LinLibertine_R.", "Carlito-Regular", "Vollkorn-Regular"),
    ),
}  # fmt: skip
COMMON = (
    "--text-source", "dictionary", "--alphabet", "auto", "--architecture", "fine",
    "--rnn-units", "128", "--photo", "0.2", "--patience", "0",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """Train and measure a model per language."""

    languages: tuple[str, ...] = tuple(SCRIPTS)
    """Languages, as trdg names their dictionaries."""
    steps: int = 6000
    """Training steps of each."""
    init_from: Path | None = None
    """A folder of earlier runs to start from; each is trained for `steps` more."""
    learning_rate: float = 0.0
    """Its highest value; 0: the default of train.py."""
    lines: int = 200
    """Lines to read of each language."""
    folder: Path = Path("checkpoints/scripts")
    """Run folders go here. A run that is there is resumed, or only measured if it is finished."""
    print_commands: bool = False
    """Print the training commands, and do nothing."""


def installed(families: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """(font files whose names begin so, families without any), of Debian and npm."""
    files = find_fonts((str(DEBIAN),)) + sorted(map(str, NPM.glob("*/files/*-normal.woff2")))
    found = [file for file in files if families and Path(file).name.startswith(families)]
    names = [Path(file).name for file in found]
    return found, [family for family in families if not any(n.startswith(family) for n in names)]


def by_npm(script: Script) -> list[str]:
    """The upright font files of the families that `make fonts` has for a script."""
    files = NPM.glob(f"*/files/*-{script.npm}-*-normal.woff2") if script.npm else ()
    return sorted(str(f) for f in files if f.parts[-3] not in script.npm_without)


def command(language: str, script: Script, options: Options) -> list[str]:
    """The training of a language."""
    fonts = [*installed(script.train + script.validate)[0]]
    fonts += ["trdg", "matplotlib"] if script.packages else by_npm(script)
    run = options.folder / language
    interval = max(1, min(500, options.steps // 4))
    start = ["--init-from", str(options.init_from / language)] if options.init_from else []
    start += ["--learning-rate", str(options.learning_rate)] if options.learning_rate else []
    return [
        sys.executable, "train.py", "--language", language, *COMMON, *script.options, *start,
        "--steps", str(options.steps), "--interval", str(interval), "--model-dir", str(run),
        "--fonts", *fonts, "--held-out", *script.validate,
    ]  # fmt: skip


def draw(text: str, font: str, rng: np.random.Generator) -> Image.Image:
    """A line that Pillow lays out, shapes and draws by itself."""
    face = ImageFont.truetype(font, int(rng.integers(28, 49)))
    left, top, right, bottom = map(int, face.getbbox(text))
    margin = int(rng.integers(2, 7))
    page = Image.new("L", (right - left + 2 * margin, bottom - top + 2 * margin), 255)
    ImageDraw.Draw(page).text((margin - left, margin - top), text, 0, font=face)
    return page


def lines(
    language: str, fonts: list[str], alphabet: Alphabet, count: int
) -> tuple[list[Image.Image], list[str]]:
    """(pictures, their texts): random words in random fonts that have all of their characters."""
    rng = np.random.default_rng(SEED)
    texts = Texts(TextOptions(text_source="dictionary", language=language), alphabet)
    pictures: list[Image.Image] = []
    truths: list[str] = []
    while len(truths) < count:
        text, font = texts.draw(rng), fonts[int(rng.integers(len(fonts)))]
        if len(characters_drawn(font, text)) == len(text):
            pictures.append(draw(text, font, rng))
            truths.append(text)
    return pictures, truths


def measure(language: str, script: Script, options: Options) -> tuple[str, list[str]]:
    """A row of the table, and the families that are not installed."""
    from inference import Recognizer
    from ocr_simple.reports.metrics import error_rates

    fonts, missing = installed(script.measure)
    recognizer = Recognizer.load(options.folder / language)
    pictures, truths = lines(language, fonts, recognizer.alphabet, options.lines)
    read = [line.text for line in recognizer.read(pictures)]
    exact, cer = error_rates(truths, read)
    wrong = next(((t, r) for t, r in zip(truths, read) if t != r), ("", ""))
    count = len(recognizer.alphabet.characters)
    row = f"| {language} | {count} | {options.steps:,} | {len(fonts)} | {len(truths)} "
    return row + f"| {exact:.1%} | {cer:.2%} | {wrong[0]} → {wrong[1]} |", missing


def main(options: Options) -> None:
    """Train, then print a Markdown table. Raises ValueError, CalledProcessError."""
    unknown = [language for language in options.languages if language not in SCRIPTS]
    if unknown:
        raise ValueError(f"--languages {unknown[0]}: choose from {', '.join(SCRIPTS)}")
    chosen = {language: SCRIPTS[language] for language in options.languages}
    for language, script in chosen.items():
        if not options.print_commands and not installed(script.measure)[0]:
            fonts = ", ".join(script.measure)
            raise ValueError(f"{language}: none of the fonts to measure with is installed: {fonts}")
    for language, script in chosen.items():
        training = command(language, script, options)
        print(shlex.join(training), flush=True)
        if not options.print_commands:
            subprocess.run(training, cwd=ROOT, check=True)
    if options.print_commands:
        return
    print("\n| language | characters | steps | fonts | lines | exact | CER | an error |")
    print("|---|---|---|---|---|---|---|---|")
    missing = []
    for language, script in chosen.items():
        row, absent = measure(language, script, options)
        print(row, flush=True)
        missing += absent + installed(script.train + script.validate)[1]
        missing += ["make fonts"] if script.npm and not by_npm(script) else []
    if missing:
        print(f"\nnot installed, so not used: {', '.join(missing)}")


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except (ValueError, subprocess.CalledProcessError) as error:
        print(f"scripts.py: {error}", file=sys.stderr)
        sys.exit(2)
