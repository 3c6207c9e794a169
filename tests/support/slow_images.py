"""Small files that take very long to decode."""

import io
import struct

from PIL import Image


def repeated_scan(side: int = 4000, scans: int = 2600) -> bytes:
    """A progressive JPEG whose shortest scan is repeated: 10 ms for each, at 4000 x 4000 pixels."""
    file = io.BytesIO()
    Image.new("L", (side, side), 128).save(file, "jpeg", progressive=True)
    head, *found = file.getvalue()[:-2].split(b"\xff\xda")
    shortest = b"\xff\xda" + min(found, key=len)
    return b"\xff\xda".join([head, *found]) + scans * shortest + b"\xff\xd9"


def many_layers(side: int = 1000) -> bytes:
    """A JPEG 2000 with 65,535 layers, nearly all of them empty: half a minute for 9 KB."""
    file = io.BytesIO()
    image = Image.new("RGB", (side, side), (9, 200, 99))
    image.save(file, "jpeg2000", precinct_size=(64, 64), codeblock_size=(4, 4))
    encoded = bytearray(file.getvalue())
    style = encoded.index(b"\xff\x52")  # the marker: length, style, order, layers
    encoded[style + 5] = 2  # by resolution, then position
    encoded[style + 6 : style + 8] = b"\xff\xff"
    return bytes(encoded)


def many_pages(pages: int = 50_000) -> bytes:
    """A TIFF whose pages share their pixels, 60 x 20: 15 s to count 50,000 of them."""
    pixels, start = bytes([200]) * 1200, 8
    tags = {256: 60, 257: 20, 258: 8, 259: 1, 262: 1, 273: start, 277: 1, 278: 20, 279: 1200}
    size = 2 + 12 * len(tags) + 4
    out = bytearray(b"II*\0" + struct.pack("<I", start + len(pixels)) + pixels)
    for page in range(pages):
        following = len(out) + size if page < pages - 1 else 0
        entries = (struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
        out += struct.pack("<H", len(tags)) + b"".join(entries) + struct.pack("<I", following)
    return bytes(out)


SLOW = {"scans.jpg": repeated_scan, "layers.jp2": many_layers}
