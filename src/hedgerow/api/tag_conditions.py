"""The condition keys of tags: what a request says of tags, and what a resource carries.

Source: IAM user guide, "Controlling access to AWS resources using tags": `aws:RequestTag/…`, `aws:TagKeys`,
`aws:ResourceTag/…`; IAM has its own word for the last one, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from hedgerow.core.policy import Context

_TAGS: Final = ("tags", "Tags")  # a list of {Key, Value}, a map, or a query
_KEYS: Final = ("tagKeys", "TagKeys")
NOTHING: Final[Context] = {}


def of_request(params: Mapping[str, Any]) -> Context:
    """Answer the keys for the tags that the request puts on, or takes off, something. Not yet validated."""
    if not any(member in params for member in (*_TAGS, *_KEYS)):
        return NOTHING
    tags = dict(pair for member in _TAGS for pair in _pairs(params.get(member)))
    gone = [key for member in _KEYS for key in _texts(params.get(member))]
    keys = (*tags, *gone)
    if not keys:
        return NOTHING
    return {**{f"aws:RequestTag/{key}": value for key, value in tags.items()}, "aws:TagKeys": keys}


def of_resource(resource: str, tags: Mapping[str, str]) -> Context:
    """Answer the keys for the tags that the resource carries."""
    found = {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
    if resource.startswith("arn:aws:iam:"):
        found |= {f"iam:ResourceTag/{key}": value for key, value in tags.items()}
    return found


def _pairs(tags: Any) -> Iterator[tuple[str, str]]:
    if isinstance(tags, Mapping):
        found: Sequence[tuple[Any, Any]] = list(tags.items())
    elif isinstance(tags, str):  # CreateTopicRule sends them as a header
        found = parse_qsl(tags, keep_blank_values=True)
    elif isinstance(tags, list):
        found = [(tag.get("Key"), tag.get("Value", "")) for tag in tags if isinstance(tag, Mapping)]
    else:
        return
    yield from ((key, value) for key, value in found if isinstance(key, str) and isinstance(value, str))


def _texts(keys: Any) -> list[str]:
    return [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []
