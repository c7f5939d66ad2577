"""An IoT policy: a name, versions of a document, one of them the default.

What a document means is `core/policy`'s business; here are its size and the rules about versions.
Spec: 5 versions at most, numbers grow and are never used again; 2048 characters without white space; 10 policies on a
certificate and 2 on a thing group.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from hedgerow.core import policy as language
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.policies.errors import MalformedPolicy

NAME: Final = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
VERSIONS: Final = 5
ON_A_PRINCIPAL: Final = 10
ON_A_GROUP: Final = 2
SIZE: Final = 2048
_WHITE: Final = re.compile(r"\s")


@dataclass(frozen=True, slots=True, kw_only=True)
class IotPolicy:
    """One policy."""

    name: str
    default_version: int
    last_version: int
    generation: str
    created_at: float
    updated_at: float

    def next(self, *, default: bool, now: float) -> "IotPolicy":
        """Answer the policy with one version more."""
        number = self.last_version + 1
        return replace(
            self, last_version=number, default_version=number if default else self.default_version, updated_at=now
        )

    def with_default(self, version: int, *, now: float) -> "IotPolicy":
        """Answer the policy with another default version."""
        return replace(self, default_version=version, updated_at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """One version of a policy's document."""

    policy: str
    number: int
    document: str
    created_at: float


def checked_name(name: str) -> str:
    """Answer the name; raise InvalidRequest when it is none."""
    if NAME.fullmatch(name) is None:
        raise InvalidRequest(f"policyName {name!r} must be 1 to 128 characters of word characters and + = , . @ -")
    return name


def checked_document(document: str) -> str:
    """Answer the document; raise MalformedPolicy when it is no IoT policy or too long."""
    size = len(_WHITE.sub("", document))
    if size > SIZE:
        raise MalformedPolicy(f"Policy document is {size} characters without white space, {SIZE} is the most")
    try:
        language.validate(document, language.Dialect.IOT)
    except language.MalformedPolicy as error:
        raise MalformedPolicy(f"Policy document is Malformed: {error}") from error
    return document
