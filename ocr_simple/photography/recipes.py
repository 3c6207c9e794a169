"""Recipes: the kinds of picture that a drawn line is turned into.

A recipe holds the chance of each effect in effects/, the ranges for geometry.py, and which fonts
and marks its lines are drawn with. There is one for each kind of picture that people want to read:
photographs, serial numbers, scanned receipts, displays, screens, counters, handwriting on forms,
signs, pages, typed letters, nameplates. mixtures.py mixes them.

To add a recipe, add it to RECIPES: `--recipe` then accepts its name. Add it to a mixture in
mixtures.py too if that should include it, and to the help of `recipe` in options.py. To add an
effect, see effects/.
"""

from dataclasses import dataclass

LEGIBLE = 0.3  # of camera.legibility; under 0.25 a trained model read one line in four

# In all groups, a number without a unit is the share of lines that have the effect, 0 to 1.
# A height is that of the drawn line.


@dataclass(frozen=True)
class RecipeFonts:
    """The fonts that lines are drawn in."""

    patterns: tuple[str, ...] = ()  # of FILE or FOLDER/FILE; none: all fonts
    share: float = 1.0  # of lines in these fonts; under 1, other recipes may use them too
    by_family: bool = False  # families alike, however many files each has; for this recipe alone


@dataclass(frozen=True)
class RecipeMarks:
    """Points, signs and units that the label lacks: see drawing/marks.py."""

    share: float = 0.0
    units: bool = True  # False: no letters, which look like digits on a display
    words: bool = False  # mostly words and letters, as beside the number of a house


@dataclass(frozen=True)
class Lettering:
    """How letters are placed one by one: see drawing/lettering.py."""

    uneven: float = 0.0  # letters differ in size, height, slant and distance
    initials: float = 0.0  # capitals whose first ones are larger
    spread: float = 0.0  # letters far apart
    arc: float = 0.0  # on a circle, at its top or beside it
    turned: float = 0.0  # uphill or downhill; four times as often on a circle
    perspective: float = 0.0
    typed: float = 0.0  # of lines in a font of fixed pitch: struck by a typewriter
    blotted: float = 0.0  # of typed lines: the ink has run, as in a carbon copy
    two_spaces: float = 0.0  # after the end of a sentence
    spaces: tuple[float, float] = (0.7, 1.3)  # width, in the font's


@dataclass(frozen=True)
class Crop:
    """How much of the picture the line takes up."""

    fit: bool = True  # draw the ink as high as the image: sharper where it is large
    ink_height: tuple[float, float] | None = (0.35, 1.0)  # of the image's; None: by `zoom`
    shrink: float = 0.6  # log scale: at most this much smaller than drawn, if by `zoom`
    left: tuple[float, float] = (-0.1, 0.5)  # heights added to the drawn margin; under 0 cuts
    right: tuple[float, float] = (-0.1, 0.5)


@dataclass(frozen=True)
class Warp:
    """How the line is turned and bent, beyond what the options of variation do."""

    rotation: float = 0.0  # degrees, either way
    distortion: float = 1.0  # strength of perspective, curl and shear; 1 is the usual
    jitter: float = 0.0  # characters higher and lower, larger and smaller, in heights
    slant: tuple[float, float] = (0.0, 0.0)  # to the right, in heights from foot to head
    elastic: float = 0.0  # bend of strokes, in heights
    overlap: float = 0.0  # share of lines whose characters are so close that some touch


@dataclass(frozen=True)
class Ink:
    """What a printer, a pen or a display does to the characters."""

    dot_matrix: float = 0.0
    bleed: float = 0.0
    starvation: float = 0.0
    voids: float = 0.15
    fading: float = 0.0
    neighbour_lines: float = 0.15
    separators: float = 0.05  # if frequent, a model learns to skip a large 1
    underline: float = 0.0
    rules: float = 0.0  # of a table
    specks: float = 0.0
    cut_lines: float = 0.0  # more of the lines above and below than neighbour_lines shows
    cut_letters: float = 0.0  # slivers of the words beside
    cut_digits: float = 0.0  # parts of the digits beside a single one; no others are counted
    unlit_segments: float = 0.0  # a pale 8 behind each digit; for fonts of displays


@dataclass(frozen=True)
class Tone:
    """Grey levels of ink and paper."""

    contrast: tuple[float, float] = (50, 255)  # levels between ink and paper
    light_paper: float = 0.0  # the lightest paper that the contrast allows
    dark_paper: float = 0.0  # a dark picture, as far as the contrast allows
    dark_on_light: float = 0.6
    hues: float = 0.0  # levels of two random colours, which may be nearly the same
    guilloche: float = 0.05
    outline: float = 0.08
    relief: float = 0.08
    engraved: float = 0.0  # cut into metal or raised from it, with little paint or none
    craft: float = 0.0  # raised, of neon or lamps, painted, in chalk, engraved: effects/craft.py
    glow: float = 0.0  # characters shine on a dark panel, whatever the fields above say
    pixel_grid: float = 0.0
    gloss: float = 0.0
    drop_shadow: float = 0.0


@dataclass(frozen=True)
class Scene:
    """What surrounds and lights the line, and what it is written on."""

    frame: float = 0.25
    bezel: float = 0.0
    light: float = 0.6
    unevenness: float = 0.2  # of the light: spread of its slope along the line
    reflections: float = 0.0
    glare: float = 0.0
    surface: float = 0.5
    photograph: float = 0.0  # behind the line
    tiles: float = 0.0
    small_print: float = 0.0
    sides: float = 0.0
    folds: float = 0.0


@dataclass(frozen=True)
class Sensor:
    """What a camera or a scanner, and a file, do to the picture."""

    exposure: float = 0.0  # too much light or too little
    blur: float = 0.5
    low_resolution: float = 0.3
    subpixels: float = 0.0  # a screen's
    small_picture: float = 0.0  # taken from afar: a dozen rows or two
    noise: float = 0.6
    binarisation: float = 0.0
    halftone: float = 0.0
    fax: float = 0.0
    jpeg: float = 0.4


@dataclass(frozen=True)
class Recipe:
    """A kind of picture; the defaults are those of photographs."""

    photographed: bool = True  # False: the line stays as it is drawn
    wheels: bool = False  # digits are drawn as a counter's, see drawing/counter.py
    blank: bool = False  # nothing to read is left in the picture, and the label is empty
    legible: float = LEGIBLE  # least legibility; pictures are taken again until it is reached
    texts: str = "mixed"  # the text source that `--text-source recipe` draws from
    typeset: float = 0.0  # with a printer's quotation marks and dashes: drawing/typography.py
    lettering: Lettering | None = None  # None: letters are set side by side, as trdg does
    fonts: RecipeFonts = RecipeFonts()
    marks: RecipeMarks = RecipeMarks()
    crop: Crop = Crop()
    warp: Warp = Warp()
    ink: Ink = Ink()
    tone: Tone = Tone()
    scene: Scene = Scene()
    sensor: Sensor = Sensor()


CLEAN = Recipe(photographed=False, crop=Crop(fit=False, ink_height=None))
PHOTO = Recipe(
    texts="signs",
    marks=RecipeMarks(0.1, words=True),
    warp=Warp(rotation=5, slant=(-0.15, 0.25)),
    ink=Ink(bleed=0.1, cut_digits=0.2),
    tone=Tone(contrast=(55, 255), light_paper=0.12, gloss=0.06, drop_shadow=0.1),
    # the bars of a frame look like a 1
    scene=Scene(frame=0.12, tiles=0.05, small_print=0.15, sides=0.15, folds=0.15),
    sensor=Sensor(noise=0.45),
)
SERIAL = Recipe(  # on labels and meters: fixed pitch, the zeros slashed or dotted
    fonts=RecipeFonts(("receipt/*-mono-*", "receipt/*-cod*-*", "receipt/anonymous-*"), share=0.5),
    crop=Crop(ink_height=(0.25, 1.0)),
    ink=Ink(bleed=0.2, cut_digits=0.3),
)
RECEIPT = Recipe(
    fonts=RecipeFonts(("receipt/*",), share=0.8),
    marks=RecipeMarks(0.15),
    crop=Crop(ink_height=(0.4, 1.0), left=(-0.2, 0.5), right=(-0.2, 0.5)),
    warp=Warp(distortion=0.3),
    ink=Ink(
        dot_matrix=0.3,
        bleed=0.3,
        starvation=0.3,
        voids=0.45,
        fading=0.3,
        neighbour_lines=0.25,
        separators=0,
        underline=0.05,
    ),
    tone=Tone(contrast=(40, 255), light_paper=0.7, dark_on_light=0.98, outline=0.02, relief=0),
    scene=Scene(frame=0.05, light=0.1, surface=0.15),
    sensor=Sensor(blur=0.3, noise=0.3, binarisation=0.5, jpeg=0.5),
)
DISPLAY = Recipe(
    fonts=RecipeFonts(("display/*", "DSEG*")),
    marks=RecipeMarks(0.7, units=False),
    # of a fixed width: often empty at the left
    crop=Crop(fit=False, ink_height=(0.45, 0.88), left=(-0.1, 2.0), right=(-0.1, 0.6)),
    warp=Warp(rotation=6, distortion=0.6),
    ink=Ink(
        dot_matrix=0.02,
        voids=0.03,
        fading=0.03,
        neighbour_lines=0.05,
        separators=0,
        unlit_segments=0.4,
        cut_digits=0.5,
    ),
    tone=Tone(
        contrast=(8, 120),
        dark_paper=0.4,
        dark_on_light=0.7,
        guilloche=0,
        outline=0,
        relief=0,
        glow=0.4,
        pixel_grid=0.15,
    ),
    scene=Scene(
        frame=0.08,  # its bars look like a 1
        bezel=0.6,
        light=0.7,
        unevenness=0.35,
        reflections=0.5,
        glare=0.1,
        surface=0.1,
    ),
    sensor=Sensor(blur=0.5, noise=0.3),
)
SANS = (  # upright fonts without serifs
    "print/*sans*normal*", "print/barlow*normal*", "print/archivo*normal*", "print/inter*normal*",
    "print/lato*normal*", "print/m-plus*", "print/rubik-l*normal*", "print/saira*normal*",
    "print/oswald*", "print/titillium*normal*", "print/tomorrow*normal*", "print/rajdhani*",
    "print/blinker*", "print/varela*", "print/manrope*", "print/monda*", "print/khand*",
    "print/league*", "print/work*normal*", "print/yanone*", "print/antonio*", "DejaVuSans*",
    "Roboto*Regular*", "Roboto*Medium.*", "Roboto*Bold.*", "DroidSans*", "OpenSans-Regular*",
    "OpenSans-Semibold.*", "Lato-Regular*", "Lato-Medium.*", "Sansation-Regular*", "Aller_Rg*",
    "BEBAS*", "Walkway_Bold*",
)  # fmt: skip
COUNTER = Recipe(
    wheels=True,
    fonts=RecipeFonts(SANS, share=0.9),
    crop=Crop(fit=False, ink_height=(0.75, 1.15), left=(-0.1, 0.4), right=(-0.15, 0.4)),
    warp=Warp(rotation=2),
    ink=Ink(voids=0.05, neighbour_lines=0, separators=0),
    tone=Tone(contrast=(40, 255), dark_on_light=0.5, guilloche=0, outline=0, relief=0.03),
    scene=Scene(frame=0.3, bezel=0.25, light=0.7, unevenness=0.3, reflections=0.3, surface=0.25),
    sensor=Sensor(blur=0.5, low_resolution=0.3, noise=0.4),
)
SCREEN = Recipe(  # instruments and pumps with pixels instead of segments, in fonts like any other
    fonts=RecipeFonts(SANS, share=0.8),
    marks=RecipeMarks(0.6, units=False),
    crop=Crop(ink_height=(0.4, 0.92), left=(-0.1, 0.6), right=(-0.1, 0.6)),
    warp=Warp(rotation=4, distortion=0.5),
    ink=Ink(voids=0.03, fading=0.03, neighbour_lines=0.1, separators=0, cut_digits=0.5),
    tone=Tone(
        contrast=(20, 150),
        dark_on_light=0.35,
        guilloche=0,
        outline=0,
        relief=0,
        glow=0.15,
        pixel_grid=0.4,
    ),
    scene=Scene(frame=0.1, bezel=0.2, light=0.7, unevenness=0.3, reflections=0.3, surface=0.1),
    sensor=Sensor(
        blur=0.6, low_resolution=0.4, subpixels=0.3, small_picture=0.3, noise=0.5, jpeg=0.5
    ),
)
BLANK = Recipe(
    blank=True,
    crop=Crop(fit=False, ink_height=None, left=(-0.5, 0.5), right=(-0.5, 0.5)),
    ink=Ink(neighbour_lines=0),
    tone=Tone(contrast=(0, 255)),
    scene=Scene(frame=0.5, bezel=0.3, unevenness=0.3, reflections=0.3, surface=0.6, tiles=0.2),
)
HANDWRITING = Recipe(
    fonts=RecipeFonts(
        (
            "handwriting/*", "*[Hh]and*", "*Kristi*", "*Rufscript*", "*Dancing*", "*Kaushan*",
            "*femke*", "*Klee*", "*Tom*", "*sj*", "*Yusei*", "*Ecolier*", "*ecolier*", "*Comic*",
            "*[Hh]umor*", "*Leckerli*", "*Amatic*", "*Pacifico*", "*Caveat*", "*Script*", "*Indie*",
            "*bwht*", "*dkg*", "*fifthhorseman*",
        )
    ),
    marks=RecipeMarks(0.7),
    crop=Crop(ink_height=(0.4, 0.95), left=(-0.1, 0.8), right=(-0.1, 0.8)),
    warp=Warp(distortion=0.7, jitter=0.05, slant=(-0.1, 0.5), elastic=0.025, overlap=0.3),
    ink=Ink(voids=0.1, fading=0.05, neighbour_lines=0.05, separators=0, underline=0.35),
    tone=Tone(
        contrast=(60, 200), light_paper=0.15, dark_on_light=0.98, guilloche=0.7, outline=0, relief=0
    ),
    scene=Scene(frame=0.1, light=0.3, surface=0.1),
    sensor=Sensor(blur=0.3, low_resolution=0.2, noise=0.3, binarisation=0.05),
)  # fmt: skip
SIGN = Recipe(  # words on shops, streets, posters and packages
    texts="signs",
    typeset=0.3,
    legible=0.45,
    lettering=Lettering(
        uneven=0.15, initials=0.08, spread=0.15, arc=0.14, turned=0.08, perspective=0.2
    ),
    fonts=RecipeFonts(("sign/*",), by_family=True),
    crop=Crop(ink_height=(0.5, 1.0), left=(0.0, 0.4), right=(0.0, 0.4)),
    warp=Warp(rotation=8, slant=(-0.15, 0.25)),
    ink=Ink(
        bleed=0.05,
        voids=0.06,
        fading=0.03,
        neighbour_lines=0.05,
        separators=0,
        underline=0.03,
        cut_lines=0.25,
        cut_letters=0.12,
    ),
    tone=Tone(
        contrast=(60, 255),
        hues=0.3,
        dark_on_light=0.5,
        guilloche=0.02,
        outline=0.06,
        relief=0.03,
        craft=0.25,
        gloss=0.04,
        drop_shadow=0.1,
    ),
    scene=Scene(
        frame=0.2,
        light=0.4,
        reflections=0.08,
        glare=0.04,
        surface=0.25,
        photograph=0.3,
        tiles=0.05,
        small_print=0.08,
        sides=0.08,
        folds=0.06,
    ),
    sensor=Sensor(
        exposure=0.1, blur=0.3, low_resolution=0.12, small_picture=0.22, noise=0.25, jpeg=0.3
    ),
)
PAGE = Recipe(  # printed, typed, copied and faxed pages, and screens
    texts="pages",
    typeset=0.5,
    legible=0.5,
    lettering=Lettering(spread=0.01, typed=0.6, two_spaces=0.3, spaces=(0.75, 2.2)),
    fonts=RecipeFonts(("page/*",), by_family=True),
    crop=Crop(ink_height=(0.5, 1.0), left=(0.0, 0.6), right=(0.0, 0.6)),
    warp=Warp(rotation=1, distortion=0.25),
    ink=Ink(
        bleed=0.1,
        starvation=0.07,
        voids=0.07,
        fading=0.05,
        neighbour_lines=0.1,
        separators=0,
        underline=0.04,
        rules=0.12,
        specks=0.15,
        cut_lines=0.12,
    ),
    tone=Tone(
        contrast=(120, 255),
        light_paper=0.85,
        dark_on_light=0.94,
        hues=0.08,
        guilloche=0.02,
        outline=0,
        relief=0,
    ),
    scene=Scene(frame=0.05, light=0.2, surface=0.2, folds=0.08),
    sensor=Sensor(
        blur=0.15,
        low_resolution=0.15,
        subpixels=0.1,
        small_picture=0.12,
        noise=0.15,
        binarisation=0.25,
        halftone=0.06,
        fax=0.06,
        jpeg=0.25,
    ),
)
TYPEWRITER = Recipe(  # letters and their carbon copies
    texts="pages",
    typeset=0.1,
    legible=0.4,
    lettering=Lettering(typed=1.0, blotted=0.75, two_spaces=0.6, spaces=(1.0, 1.0)),
    fonts=RecipeFonts(
        (
            "typewriter/*", "receipt/courier-prime-*", "receipt/special-elite-*",
            "receipt/pt-mono-*", "receipt/ibm-plex-mono-*", "*[Cc]ourier*",
        ),
        share=0.95,
    ),
    crop=Crop(ink_height=(0.3, 0.85), left=(0.0, 0.6), right=(0.0, 0.6)),
    warp=Warp(rotation=1.5, distortion=0.4),
    ink=Ink(
        starvation=0.1,
        voids=0.1,
        fading=0.1,
        neighbour_lines=0.1,
        separators=0,
        underline=0.06,
        rules=0.04,
        specks=0.1,
        cut_lines=0.35,
    ),
    tone=Tone(
        contrast=(60, 230),
        light_paper=0.6,
        dark_on_light=1.0,
        hues=0.05,
        guilloche=0.01,
        outline=0,
        relief=0,
    ),
    scene=Scene(frame=0.02, light=0.3, surface=0.4, folds=0.15),
    sensor=Sensor(
        blur=0.35,
        low_resolution=0.2,
        small_picture=0.1,
        noise=0.25,
        binarisation=0.12,
        fax=0.02,
        jpeg=0.3,
    ),
)  # fmt: skip
NAMEPLATE = Recipe(  # what is stamped, engraved or printed on plates of metal and plastic
    legible=0.45,
    lettering=Lettering(uneven=0.12, spread=0.2),
    fonts=RecipeFonts(("nameplate/*", *SANS), share=0.8),
    crop=Crop(ink_height=(0.45, 0.95), left=(0.0, 0.5), right=(0.0, 0.5)),
    warp=Warp(rotation=4, slant=(-0.1, 0.15)),
    ink=Ink(bleed=0.08, voids=0.08, fading=0.05, neighbour_lines=0.08, separators=0, cut_lines=0.2),
    tone=Tone(
        contrast=(25, 180),
        dark_on_light=0.6,
        hues=0.15,
        guilloche=0,
        outline=0,
        relief=0.05,
        engraved=0.5,
    ),
    scene=Scene(
        frame=0.25, light=0.7, unevenness=0.35, reflections=0.2, glare=0.08, surface=0.3, sides=0.05
    ),
    sensor=Sensor(
        exposure=0.08, blur=0.5, low_resolution=0.25, small_picture=0.2, noise=0.4, jpeg=0.35
    ),
)

RECIPES = {
    "clean": CLEAN,
    "photo": PHOTO,
    "serial": SERIAL,
    "receipt": RECEIPT,
    "display": DISPLAY,
    "screen": SCREEN,
    "counter": COUNTER,
    "handwriting": HANDWRITING,
    "blank": BLANK,
    "sign": SIGN,
    "page": PAGE,
    "typewriter": TYPEWRITER,
    "nameplate": NAMEPLATE,
}
