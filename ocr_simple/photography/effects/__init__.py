"""Effects: what real pictures of lines have and drawn ones lack.

ink, tone, scene and sensor hold those of any line; craft, surroundings and scan those that only
signs and pages need.

EFFECTS lists them in the order in which they are applied, each with the field of a recipe that
holds its chance. An effect changes a `Shot`, a picture in the making.

To add an effect, write it in one of the modules here, add a row to EFFECTS and a field for its
chance to a group in recipes.py (0 by default, so that existing recipes stay as they are), and set
the field in the recipes that should have it. To add a recipe, see recipes.py.
"""

from ocr_simple.photography.effects import craft, ink, scan, scene, sensor, surroundings, tone
from ocr_simple.photography.effects.shot import Effect

# In the order in which they are applied, each after the recipe's field that holds its chance; None
# is always applied. (`ink.unlit_segments` is not here: drawing/lines.py draws them.)
EFFECTS: tuple[tuple[str | None, Effect], ...] = (
    ("ink.dot_matrix", ink.dot_matrix),
    ("ink.bleed", ink.bleed),
    ("ink.starvation", ink.starvation),
    ("ink.voids", ink.voids),
    ("ink.fading", ink.fading),
    ("ink.neighbour_lines", ink.neighbour_lines),
    ("ink.separators", ink.separators),
    ("ink.underline", ink.underline),
    ("ink.rules", surroundings.rules),
    ("ink.cut_lines", surroundings.cut_lines),
    ("ink.cut_letters", surroundings.cut_letters),
    ("ink.cut_digits", surroundings.cut_digits),
    ("ink.specks", scan.specks),
    (None, tone.choose_tone),
    ("tone.guilloche", tone.guilloche),
    (None, tone.print_ink),  # with tone.outline, tone.relief
    ("tone.engraved", craft.engraved),
    ("tone.craft", craft.craft),
    ("tone.glow", tone.glow),
    ("tone.pixel_grid", tone.pixel_grid),
    ("tone.gloss", tone.gloss),
    ("tone.drop_shadow", tone.drop_shadow),
    ("scene.photograph", surroundings.photograph_behind),
    ("scene.tiles", scene.tiles),
    ("scene.small_print", scene.small_print),
    ("scene.sides", scene.sides),
    ("scene.folds", scene.folds),
    ("scene.frame", scene.frame),
    ("scene.bezel", scene.bezel),
    ("scene.light", scene.light),
    ("scene.reflections", scene.reflections),
    ("scene.glare", scene.glare),
    ("scene.surface", scene.surface),
    ("sensor.exposure", scan.exposure),
    ("sensor.blur", sensor.blur),
    ("sensor.low_resolution", sensor.low_resolution),
    ("sensor.subpixels", scan.subpixels),
    ("sensor.small_picture", scan.small_picture),
    ("sensor.noise", sensor.noise),
    ("sensor.binarisation", sensor.binarisation),
    ("sensor.halftone", scan.halftone),
    ("sensor.fax", scan.fax),
    ("sensor.jpeg", sensor.jpeg),
)
