"""Tags: which keys and values there may be, and the two forms in which requests bring them.

Source: AWS IoT API reference, Tag; AWS's rules for tags (no key begins with `aws:`, 50 of a resource).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.tags.errors import TooManyTags

MOST: Final = 50
KEY: Final = 128
VALUE: Final = 256
RESERVED: Final = "aws:"
_RESOURCE: Final = re.compile(r"([a-z]+)[/:](.+)")  # `thinggroup/pumps`, `certificateprovider:ours`


def kind_and_name(resource: str) -> tuple[str, str] | None:
    """Answer what the last part of an ARN names, None when it has not the form of anything of the service iot."""
    parts = _RESOURCE.fullmatch(resource)
    return None if parts is None else (parts[1], parts[2])


def read_tags(given: Sequence[Mapping[str, Any]] | str | None) -> dict[str, str]:
    """Answer the tags of a request: a list of Key and Value, or `key=value&key=value`; raises InvalidRequest."""
    if isinstance(given, str):
        pairs = parse_qsl(given, keep_blank_values=True)
    else:
        pairs = [(str(one["Key"]), str(one.get("Value") or "")) for one in given or ()]
    tags = dict(pairs)
    if len(tags) < len(pairs):
        raise InvalidRequest("tags: a key stands there twice")
    for key, value in tags.items():
        if not 1 <= len(key) <= KEY or len(value) > VALUE:
            raise InvalidRequest(
                f"tags: a key has 1 to {KEY} characters and a value {VALUE} at most, and {key!r} has not"
            )
        if key.lower().startswith(RESERVED):
            raise InvalidRequest(f"tags: {key} begins with {RESERVED}, which is reserved")
    return checked(tags)


def checked(tags: dict[str, str]) -> dict[str, str]:
    """Answer the tags; raise TooManyTags for more than a resource may have."""
    if len(tags) > MOST:
        raise TooManyTags(MOST)
    return tags
