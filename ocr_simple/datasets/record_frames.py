"""The frames of a TFRecord file, checked before TensorFlow reads it.

A record is its length (8 bytes), a checksum of the length, the content, and a checksum of the
content. TensorFlow takes as much memory as a length says, and ends the process if there is less.
"""

from pathlib import Path

from ocr_simple.local_files import open_regular

LENGTH = 8  # bytes of a record that are its length
RECORD_HEADER = 12  # bytes before the content: its length, and a checksum of that
RECORD_FOOTER = 4  # bytes after it: its checksum
LARGEST_RECORD = 1 << 29  # bytes; an image file has at most 400 MB


def _crc32c_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc32c_table()


def masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecords: CRC-32C (RFC 3720, section 12.1), rotated, plus a constant."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def first_fault(path: Path) -> tuple[int, str] | None:
    """(number of intact frames, what is wrong after them) in a file; None if all are intact.

    The checksums of the contents are left to TensorFlow. Raises OSError.
    """
    number = 0
    with open_regular(path) as (file, left):
        while left:
            header = file.read(RECORD_HEADER)
            left -= RECORD_HEADER
            length = int.from_bytes(header[:LENGTH], "little")
            if left < 0:
                return number, "it ends within a record"
            if masked_crc32c(header[:LENGTH]) != int.from_bytes(header[LENGTH:], "little"):
                return number, "the checksum of a record's length is wrong"
            if length > LARGEST_RECORD:
                return number, f"a record of {length:,} bytes, over the limit of {LARGEST_RECORD:,}"
            left -= length + RECORD_FOOTER
            if left < 0:
                return number, "it ends within a record"
            file.seek(length + RECORD_FOOTER, 1)
            number += 1
    return None
