"""An access key: an id that everyone may see, and a secret that is shown once and kept sealed."""

from dataclasses import dataclass
from typing import Final

MOST_KEYS: Final = 2
ACTIVE: Final = "Active"
INACTIVE: Final = "Inactive"
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
class NewKey:
    """A key that was just made, with its secret. The repr does not show it."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"<NewKey {self.id}>"
