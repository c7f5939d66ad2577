"""What an HTTP destination is. Source: AWS IoT developer guide, "Working with HTTP topic rule destinations"."""

from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from hedgerow.services.iot.destinations.errors import InvalidDestination

MAX_URL = 2000


class Status(Enum):
    """Where a destination stands."""

    IN_PROGRESS = "IN_PROGRESS"
    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One destination; times in seconds. `token` is what its owner sends back to confirm."""

    id: str
    url: str
    status: Status
    reason: str
    token: str
    created_at: float
    updated_at: float

    def takes(self, url: str) -> bool:
        """Tell whether messages may be sent to this URL: it begins with the confirmed one, at the same place."""
        try:
            mine, theirs = urlsplit(self.url), urlsplit(url)
        except ValueError:
            return False
        same_place = (mine.scheme, mine.netloc.lower()) == (theirs.scheme, theirs.netloc.lower())
        return self.status is Status.ENABLED and same_place and url.startswith(self.url)


def checked_url(url: str) -> str:
    """Answer the URL; raise InvalidDestination when nothing could be posted to it."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InvalidDestination(f"the confirmation URL {url!r} is no URL: {error}") from error
    if len(url) > MAX_URL or parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None:
        raise InvalidDestination(
            f"the confirmation URL {url!r} must be an http or https URL of at most {MAX_URL} characters"
        )
    return url
