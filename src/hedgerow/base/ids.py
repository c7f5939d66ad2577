"""The only source of chance. Everything else is handed Ids."""

import secrets
import uuid
from typing import Protocol


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
    """Identifiers from the operating system's random source."""

    def uuid(self) -> str:
        return str(uuid.uuid4())

    def hex(self, digits: int) -> str:
        return secrets.token_hex(digits // 2)

    def upper(self, length: int) -> str:
        return "".join(secrets.choice(_UPPER) for _ in range(length))

    def secret(self, length: int) -> str:
        return "".join(secrets.choice(_BASE64) for _ in range(length))
