"""What tokens and key sets are written in: strict JSON, and base64url without padding.

Strict, because two readers that understand the same token differently are how forgeries begin.
"""

import base64
import binascii
import json
import re
from typing import Any, Final

from hedgerow.base.errors import HedgerowError

_ALPHABET: Final = re.compile(r"[A-Za-z0-9_-]*")
_DEPTH: Final = 16


class InvalidToken(HedgerowError):
    """The text is no token that can be checked; the message says why."""


def from_base64url(text: str) -> bytes:
    """Decode; raise InvalidToken for padding, foreign characters and bits that say nothing."""
    if _ALPHABET.fullmatch(text) is None or len(text) % 4 == 1:
        raise InvalidToken("a part is not base64url without padding")
    try:
        decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise InvalidToken("a part is not base64url") from error
    if to_base64url(decoded) != text:
        raise InvalidToken("a part has bits that say nothing")
    return decoded


def to_base64url(data: bytes) -> str:
    """Encode without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def read_object(data: bytes) -> dict[str, Any]:
    """Read a JSON object; raise InvalidToken for anything else, for names given twice, NaN, and what is too deep."""
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError, JSONDecodeError, and numbers too long
        raise InvalidToken("a part is no JSON") from error
    if not isinstance(found, dict) or _depth(found, _DEPTH) == 0:
        raise InvalidToken("a part is no JSON object, or nested too deep")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidToken("a name is given twice")
    return found


def _no_constant(name: str) -> Any:
    raise InvalidToken(f"{name} is no JSON")


def _depth(value: Any, left: int) -> int:
    """Answer how many levels are left below, 0 when there are none."""
    if left == 0:
        return 0
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return min((_depth(each, left - 1) for each in below), default=left)
