"""Page tokens: opaque to the caller, impossible to forge, good for one listing of one account only.

A token is a position (whatever the operation needs to go on: the last key it answered) with a MAC over the scope and
the position, in the letters of base64, which is all that some services' models let a marker have. It is not secret: do
not put anything into a position that the caller may not see.
"""

import base64
import binascii
import hashlib
import hmac
import json

from hedgerow.base.errors import ServiceError
from hedgerow.core.request import Request

_MAC_LENGTH = 16
_OF_THE_PAGE = frozenset(
    {"nextToken", "NextToken", "marker", "Marker", "ContinuationToken"}
    | {"maxResults", "MaxResults", "MaxItems", "pageSize", "limit", "MaxKeys", "MaxBuckets"}
)


class InvalidToken(ServiceError):
    """The nextToken (or marker) was not issued by us for this listing."""

    code = "InvalidRequestException"

    def __init__(self) -> None:
        super().__init__("The nextToken is not valid: it was not issued for this account, operation and parameters.")


def scope_of(account: str, operation: str, request: Request) -> str:
    """Answer the scope of a listing: whose, which, and with which parameters besides the page's own."""
    parameters = {name: request.peek(name) for name in request if name not in _OF_THE_PAGE}
    return json.dumps([account, operation, parameters], sort_keys=True, default=str)


class Pager:
    """Issues and reads page tokens under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, scope: str, position: str) -> str:
        """Answer the token for going on after the position. The scope names account, operation and filters."""
        body = position.encode("utf-8")
        return base64.b64encode(self._mac(scope, body) + body).decode("ascii").rstrip("=")

    def position(self, scope: str, token: str | None) -> str | None:
        """Answer the position in a token, None where there is no token; raise InvalidToken when it is not ours."""
        if token is None:
            return None
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidToken from error
        mac, body = raw[:_MAC_LENGTH], raw[_MAC_LENGTH:]
        if not hmac.compare_digest(mac, self._mac(scope, body)):
            raise InvalidToken
        return body.decode("utf-8")

    def _mac(self, scope: str, body: bytes) -> bytes:
        text = scope.encode("utf-8")
        message = len(text).to_bytes(4, "big") + text + body
        return hmac.digest(self._key, message, hashlib.sha256)[:_MAC_LENGTH]
