"""AWS's event-stream format without I/O: messages of typed headers and a payload, guarded by two checksums."""

from hedgerow.core.eventstream.codec import LARGEST, BadMessage, Decoder, encode
from hedgerow.core.eventstream.message import Header, HeaderType, Message, number, text

__all__ = [
    "LARGEST",
    "BadMessage",
    "Decoder",
    "Header",
    "HeaderType",
    "Message",
    "encode",
    "number",
    "text",
]
