"""Encoded images to read, and how far two arrays of pixels differ."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    """The bytes of an image file; `options` are those of `Image.save`."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int = 8, color: int = 0, data: bytes = b"") -> bytes:
    """A PNG whose header claims any size; `data` is its rows before compression."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*parts) for parts in chunks)


def off_by(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference of two arrays of one shape."""
    assert a.shape == b.shape
    return np.abs(a.astype(float) - b.astype(float)).max()
