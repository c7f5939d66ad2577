"""A bucket: a name that is unique in the cloud, owned by one account. Spec: S3's rules for naming buckets."""

import re
from dataclasses import dataclass
from typing import Final

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS: Final = re.compile(r"\d{1,3}(\.\d{1,3}){3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """`internal` ones are ours (packages of functions): their owner may read them by links, but does not see them."""

    account: str
    name: str
    created_at: float
    internal: bool = False


def is_bucket_name(name: str) -> bool:
    """Tell whether this may be the name of a new bucket."""
    return _NAME.fullmatch(name) is not None and ".." not in name and _ADDRESS.fullmatch(name) is None
