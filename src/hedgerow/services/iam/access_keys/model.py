"""An access key: an id that everyone may see, and a secret that is shown once and kept sealed."""

from dataclasses import dataclass
from typing import Final

MOST_KEYS: Final = 2
ACTIVE: Final = "Active"
INACTIVE: Final = "Inactive"
LONG_LIVED: Final = "AKIA"  # how the ids begin
ROOT: Final = ""  # in place of a user's name


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """One key, without its secret."""

    account: str
    id: str
    user: str  # ROOT for the account's own
    status: str
    created_at: float

    @property
    def active(self) -> bool:
        """Whether requests signed with it are accepted."""
        return self.status == ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """When a key was last used, and for which service and region the request was signed."""

    at: float
    service: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was just made, with its secret. The repr does not show it."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"<NewKey {self.id}>"
