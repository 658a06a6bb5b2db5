"""PNG files with the same bytes on every machine, whatever compressor is installed."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB_8_BIT = (8, 2, 0, 0, 0)
_LONGEST_BLOCK = 0xFFFF


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """Encode RGB ``pixels`` [h, w, 3] as a PNG file, not compressed (RFC 2083 and 1951)."""
    height, width, _ = pixels.shape
    unfiltered = np.zeros((height, 1 + width * 3), np.uint8)
    unfiltered[:, 1:] = pixels.reshape(height, -1)
    return (
        _SIGNATURE
        + _chunk(b"IHDR", struct.pack(">2I5B", width, height, *_RGB_8_BIT))
        + _chunk(b"IDAT", _stored(unfiltered.tobytes()))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _stored(data: bytes) -> bytes:
    """A zlib stream of stored blocks: what level 0 of any compressor may split differently."""
    stream = [b"\x78\x01"]
    for start in range(0, len(data), _LONGEST_BLOCK):
        block = data[start : start + _LONGEST_BLOCK]
        last = start + _LONGEST_BLOCK >= len(data)
        stream += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*stream, struct.pack(">I", zlib.adler32(data))])
