"""A shadow's key and topics, and how a deleted one is remembered."""

import re
from dataclasses import dataclass
from typing import Final

from hedgerow.core.shadow import Shadow, ShadowError, Texts, texts_of

CLASSIC: Final = ""
REMEMBERED_S: Final = 48 * 3600
"""A shadow of the same name that is made within this time of the deletion goes on counting its versions."""

TOMBSTONE: Final = "shadow-tombstone"

_THING: Final = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
_NAME: Final = re.compile(r"[$a-zA-Z0-9:_-]{1,64}")


@dataclass(frozen=True, slots=True)
class ShadowKey:
    """Which shadow: of which account's thing, and its name ("" is the classic one)."""

    account: str
    thing: str
    name: str = CLASSIC

    @property
    def prefix(self) -> str:
        """The topic that all of the shadow's topics begin with."""
        base = f"$aws/things/{self.thing}/shadow"
        return f"{base}/name/{self.name}" if self.name else base

    @property
    def words(self) -> str:
        """The name in messages: the shadow's own, the thing's for a classic shadow."""
        return self.name or self.thing

    def check(self) -> None:
        """Raise ShadowError for a thing or shadow name that cannot be one (topics bring any)."""
        if not _THING.fullmatch(self.thing):
            raise ShadowError(400, "Invalid thing name")
        if self.name and not _NAME.fullmatch(self.name):
            raise ShadowError(400, "Invalid shadow name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A shadow as it is kept. `deleted_at` is set on one that is gone and only its version is remembered."""

    shadow: Shadow
    texts: Texts
    deleted_at: float | None = None

    @classmethod
    def new(cls, shadow: Shadow, *, deleted_at: float | None = None) -> "Kept":
        """Answer the shadow as it will be kept."""
        return cls(shadow=shadow, texts=texts_of(shadow), deleted_at=deleted_at)
