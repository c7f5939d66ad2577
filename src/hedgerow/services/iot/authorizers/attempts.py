"""How a client presents itself to a custom authorizer, and where it says which one, its token and its signature.

All three are headers or query parameters of an HTTP request or a WebSocket upgrade, or stand in the query after the
first `?` of an MQTT user name: looked for in this order, each for itself. Names of headers and parameters are compared
without case; values of queries are percent-decoded once, and a `+` stays one, as base64 has it.
Spec: AWS IoT custom authentication; the Device SDKs add figures of their own to the user name, which are ignored.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from hedgerow.services.iot.authorizers.errors import NotLetIn

NAME: Final = "x-amz-customauthorizer-name"
SIGNATURE: Final = "x-amz-customauthorizer-signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Everything that an authorizer may look at. What is absent is None."""

    connection_id: str
    secure: bool = True  # over TLS
    server_name: str | None = None  # SNI
    headers: Mapping[str, str] | None = field(default=None, repr=False)  # lower-case names; None: no HTTP is spoken
    query: str = field(default="", repr=False)  # of the request, as it came, without its question mark
    client_id: str | None = None  # "" when it sent none; None: no MQTT is spoken
    username: str | None = field(default=None, repr=False)
    password: bytes | None = field(default=None, repr=False)
    certificate_pem: str | None = None  # the client's, where an authorizer is asked beside it
    certificate_id: str | None = None
    default_name: str | None = None  # the authorizer that a domain configuration names
    may_name: bool = True  # may the client name another one than that?

    def said(self, name: str) -> str | None:
        """Answer a parameter; raise NotLetIn when it is there twice in one place, or no text."""
        key = name.lower()
        if self.headers is not None and key in self.headers:
            return self.headers[key]
        for query in (self.query, (self.username or "").partition("?")[2]):
            found = [value for spelt, value in _pairs(query) if spelt.lower() == key]
            if len(found) > 1:
                raise NotLetIn("CUSTOM_AUTHORIZER_PARAMETER_INVALID", f"{key} is given more than once")
            if found:
                return found[0]
        return None

    def http(self) -> dict[str, Any] | None:
        """Answer the part about HTTP of the function's event."""
        if self.headers is None:
            return None
        return {"headers": dict(self.headers), **({"queryString": f"?{self.query}"} if self.query else {})}

    def mqtt(self) -> dict[str, Any] | None:
        """Answer the part about MQTT."""
        if self.client_id is None:
            return None
        parts = {"username": self.username, "password": self.password, "clientId": self.client_id or None}
        return {name: value for name, value in parts.items() if value is not None}

    def tls(self) -> dict[str, Any] | None:
        """Answer the part about TLS."""
        if not self.secure:
            return None
        parts = {
            "serverName": self.server_name,
            "x509CertificatePem": self.certificate_pem,
            "principalId": self.certificate_id,
        }
        return {name: value for name, value in parts.items() if value is not None}


def _pairs(query: str) -> Iterator[tuple[str, str]]:
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if equals:
            try:
                yield unquote(name, errors="strict"), unquote(value, errors="strict")
            except UnicodeDecodeError as error:
                raise NotLetIn("CUSTOM_AUTHORIZER_PARAMETER_INVALID", "a parameter is not UTF-8") from error
