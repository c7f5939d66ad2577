"""The name of an object in a token: `pkcs11:object=LABEL;type=private`.

Read as the nucleus does: the label must be there. What would open a token (a PIN, a module) is refused: it has its
place in the configuration. Spec: RFC 7512, sections 2.3 and 2.4; Greengrass V2, "Hardware security integration".
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote_to_bytes

SCHEME: Final = "pkcs11:"
PRIVATE: Final = "private"
CERTIFICATE: Final = "cert"
_KNOWN: Final = ("object", "type", "id", "token")


class NoUri(ValueError):
    """The text names no object of a token; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pkcs11Uri:
    """A private key or a certificate in a token."""

    object: str
    type: str = PRIVATE
    id: bytes = b""
    token: str = ""

    def __str__(self) -> str:
        parts = [f"object={quote(self.object)}"]
        if self.id:
            parts.append("id=" + "".join(f"%{byte:02X}" for byte in self.id))
        if self.token:
            parts.append(f"token={quote(self.token)}")
        return f"{SCHEME}{';'.join(parts)};type={self.type}"

    def beside(self, mark: str) -> "Pkcs11Uri":
        """Answer the name of another private key of the same token."""
        return Pkcs11Uri(object=f"{self.object}-{mark}", token=self.token)

    @classmethod
    def of(cls, text: str, *, type: str = PRIVATE) -> "Pkcs11Uri":  # noqa: A002  # the word of the URI
        """Read a URI of that type; raise NoUri."""
        path, question, _ = text.removeprefix(SCHEME).partition("?")
        if question:
            raise NoUri("what follows the question mark has no place here (the PIN is userPin, the module is library)")
        found: dict[str, bytes] = {}
        for part in filter(None, path.split(";")):
            name, _, value = part.partition("=")
            if name not in _KNOWN:
                raise NoUri(f"{name} is not one of {', '.join(_KNOWN)}")
            if name in found:
                raise NoUri(f"{name} is there twice")
            found[name] = unquote_to_bytes(value)
        try:
            texts = {name: found.get(name, b"").decode() for name in ("object", "type", "token")}
        except UnicodeDecodeError:
            raise NoUri("object, type and token must be UTF-8") from None
        if not texts["object"]:
            raise NoUri("object=LABEL is missing")
        if (texts["type"] or type) != type:
            raise NoUri(f"it must have type={type}, not type={texts['type']}")
        return cls(object=texts["object"], type=type, id=found.get("id", b""), token=texts["token"])


KeyPlace = Path | Pkcs11Uri
"""Where a private key or a certificate stands."""


def place_of(text: str) -> KeyPlace:
    """Answer what was written down as `str` of a place."""
    return Pkcs11Uri.of(text) if text.startswith(SCHEME) else Path(text)
