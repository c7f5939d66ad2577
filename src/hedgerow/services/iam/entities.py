"""What has policies: roles, users and groups of users."""

from enum import Enum
from typing import Protocol

from hedgerow.store import Tx


class Kind(Enum):
    """Which kind of entity."""

    ROLE = "role"
    USER = "user"
    GROUP = "group"


class Entities(Protocol):
    """Tells whether a role, user or group is there."""

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        """Answer whether the account has one of that name."""
        ...

    def arn_of(self, tx: Tx, account: str, name: str) -> str | None:
        """Answer the ARN of the one of that name, or None."""
        ...


class Vault(Protocol):
    """Encrypts what must not stand in the database in the clear."""

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt; `context` must be given again to open it."""
        ...

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Decrypt what was sealed under the same context."""
        ...
