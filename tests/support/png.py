"""Reads a browser's screenshot: 8-bit PNG without interlace, as greys."""

import struct
import zlib

CHANNELS = {0: 1, 2: 3, 6: 4}


def greys(png: bytes) -> tuple[int, int, bytes]:
    """Answer width, height and one byte for each pixel, row by row."""
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", png[16:29])
    assert (depth, interlace) == (8, 0)
    channels = CHANNELS[colour]
    raw = zlib.decompress(_chunks(png, b"IDAT"))
    stride = width * channels
    before, out = bytearray(stride), bytearray()
    for first in range(0, height * (stride + 1), stride + 1):
        line = bytearray(raw[first + 1 : first + 1 + stride])
        _unfilter(raw[first], line, before, channels)
        out += line[0::channels] if channels < 3 else line[1::channels]  # green stands for grey
        before = line
    return width, height, bytes(out)


def _chunks(png: bytes, wanted: bytes) -> bytes:
    found, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        if kind == wanted:
            found += png[at + 8 : at + 8 + length]
        at += length + 12
    return found


def _unfilter(kind: int, line: bytearray, above: bytearray, channels: int) -> None:
    for index in range(len(line)):
        left = line[index - channels] if index >= channels else 0
        up = above[index]
        corner = above[index - channels] if index >= channels else 0
        line[index] = (line[index] + _predicted(kind, left, up, corner)) & 255


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind < 4:
        return (0, left, up, (left + up) // 2)[kind]
    estimate = left + up - corner
    return min((left, up, corner), key=lambda value: abs(estimate - value))
