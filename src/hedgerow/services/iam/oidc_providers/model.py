"""An OIDC provider: where it is, for which clients its tokens count, and by which certificates it is known.

Unlike AWS, which advises against them, ports are welcome in the URL: a provider of one's own often has one.
"""

import dataclasses
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from hedgerow.core.arn import arn
from hedgerow.services.iam.oidc_providers.errors import InvalidProvider, TooMany

SCHEME: Final = "https://"
MOST_PROVIDERS: Final = 100
MOST_CLIENTS: Final = 100
MOST_THUMBPRINTS: Final = 5
MOST_TAGS: Final = 50
_HOST: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_PATH: Final = re.compile(r"[A-Za-z0-9._~/%+=@-]*")
_THUMBPRINT: Final = re.compile(r"[0-9a-fA-F]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcProvider:
    """One provider."""

    account: str
    url: str  # without the scheme
    client_ids: tuple[str, ...]
    thumbprints: tuple[str, ...]  # SHA-1 of a certificate of its server's chain, lower case
    tags: dict[str, str]
    created_at: float

    @property
    def arn(self) -> str:
        return arn("iam", "", self.account, f"oidc-provider/{self.url}")

    @property
    def issuer(self) -> str:
        """What its tokens name as their issuer."""
        return f"{SCHEME}{self.url}"

    def with_client_ids(self, client_ids: tuple[str, ...]) -> "OidcProvider":
        """Answer it with these clients, each once; raise TooMany when there are too many."""
        once = tuple(dict.fromkeys(client_ids))
        if len(once) > MOST_CLIENTS:
            raise TooMany("ClientIdsPerOpenIdConnectProvider", MOST_CLIENTS)
        return dataclasses.replace(self, client_ids=once)

    def with_thumbprints(self, thumbprints: tuple[str, ...]) -> "OidcProvider":
        """Answer it with these thumbprints; raise when one is none, or there are too many."""
        if len(thumbprints) > MOST_THUMBPRINTS:
            raise InvalidProvider(f"Thumbprint list must contain fewer than {MOST_THUMBPRINTS + 1} entries.")
        for thumbprint in thumbprints:
            if _THUMBPRINT.fullmatch(thumbprint) is None:
                raise InvalidProvider(f"{thumbprint} is no thumbprint (SHA-1, 40 hexadecimal digits).")
        return dataclasses.replace(self, thumbprints=tuple(each.lower() for each in thumbprints))

    def with_tags(self, tags: dict[str, str]) -> "OidcProvider":
        """Answer it with these tags; raise TooMany when there are too many."""
        if len(tags) > MOST_TAGS:
            raise TooMany("TagsPerOpenIdConnectProvider", MOST_TAGS)
        return dataclasses.replace(self, tags=tags)


def checked_url(url: str) -> str:
    """Answer the URL without its scheme; raise InvalidProvider when no provider can be there."""
    if not url.startswith(SCHEME) or not url.isprintable():
        raise InvalidProvider("Invalid Open ID Connect Provider URL: it must begin with https://")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidProvider(f"Invalid Open ID Connect Provider URL: {error}") from error
    if "?" in url or "#" in url or parts.username is not None or parts.password is not None:
        raise InvalidProvider("Invalid Open ID Connect Provider URL: it has neither query, fragment nor user.")
    host = parts.hostname or ""
    netloc = host if port is None else f"{host}:{port}"
    if _HOST.fullmatch(host) is None or parts.netloc != netloc or port == 0:
        raise InvalidProvider("Invalid Open ID Connect Provider URL: its host must be a name in lower case letters.")
    if _PATH.fullmatch(parts.path) is None or "//" in parts.path or "/.." in parts.path or "/./" in parts.path:
        raise InvalidProvider("Invalid Open ID Connect Provider URL: its path cannot be one of a provider.")
    return url.removeprefix(SCHEME)
