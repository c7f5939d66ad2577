"""The only source of chance. Everything else is handed Ids."""

import os
import secrets
import uuid
from collections import deque
from typing import Final, Protocol

_UUID: Final = 16  # bytes
_AT_ONCE: Final = 256


class Ids(Protocol):
    """Makes identifiers that nobody can guess."""

    def uuid(self) -> str:
        """Answer a random UUID in its usual form."""
        ...

    def hex(self, digits: int) -> str:
        """Answer that many random lower case hexadecimal digits (an even number)."""
        ...

    def upper(self, length: int) -> str:
        """Answer that many random capitals and digits 2 to 7, as in access key ids."""
        ...

    def secret(self, length: int) -> str:
        """Answer that many random characters of the base64 alphabet, as in secret access keys."""
        ...


_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class RandomIds:
    """Identifiers from the operating system's random source.

    What UUIDs are made of is drawn for many at once: each draw lets go of the interpreter, and every request draws.
    """

    def __init__(self) -> None:
        self._drawn: deque[bytes] = deque()  # its ends are safe to use from any thread
        os.register_at_fork(after_in_child=self._drawn.clear)

    def uuid(self) -> str:
        try:
            drawn = self._drawn.pop()
        except IndexError:
            many = os.urandom(_UUID * _AT_ONCE)
            drawn, *others = (many[at : at + _UUID] for at in range(0, len(many), _UUID))
            self._drawn.extend(others)
        return str(uuid.UUID(bytes=drawn, version=4))

    def hex(self, digits: int) -> str:
        return secrets.token_hex(digits // 2)

    def upper(self, length: int) -> str:
        return "".join(secrets.choice(_UPPER) for _ in range(length))

    def secret(self, length: int) -> str:
        return "".join(secrets.choice(_BASE64) for _ in range(length))
