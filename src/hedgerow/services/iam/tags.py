"""Tags of users, roles and policies: how many there may be, and that case does not tell keys apart.

Source: IAM user guide, "Tags for AWS Identity and Access Management resources".
"""

from collections.abc import Iterable, Mapping
from typing import Final

from hedgerow.services.iam.errors import InvalidInput, LimitExceeded

MOST_TAGS: Final = 50
_RESERVED: Final = "aws:"


def tagged(own: Mapping[str, str], new: Mapping[str, str], quota: str) -> dict[str, str]:
    """Answer the tags with the new ones among them; raise when a key is reserved or twice there, or there are too many.

    A key that differs in case alone is the same: it is written the new way from now on.
    """
    keys = [key.lower() for key in new]
    if len(set(keys)) != len(keys):
        raise InvalidInput("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.startswith(_RESERVED) for key in keys):
        raise InvalidInput("Tag keys that begin with aws: are reserved.")
    both = untagged(own, keys) | dict(new)
    if len(both) > MOST_TAGS:
        raise LimitExceeded(f"Cannot exceed quota for {quota}: {MOST_TAGS}")
    return both


def untagged(own: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    """Answer the tags without those of these keys, however they are written; what is not there is no matter."""
    gone = {key.lower() for key in keys}
    return {key: value for key, value in own.items() if key.lower() not in gone}
