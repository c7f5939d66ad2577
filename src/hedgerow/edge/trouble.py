"""What can go wrong with the world as an edge sees it, in words that an operator understands.

Leaves to others: when to try again (`backoff.py`).
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from hedgerow.base.errors import Unavailable
from hedgerow.edge.endpoint import Endpoint

_ALERTS: Final = {
    "CERTIFICATE_EXPIRED": "it has expired",
    "CERTIFICATE_REVOKED": "it is revoked",
    "UNKNOWN_CA": "the cloud does not know who signed it",
    "CERTIFICATE_UNKNOWN": "the cloud does not know it",
    "BAD_CERTIFICATE": "the cloud calls it a bad certificate",
    "UNSUPPORTED_CERTIFICATE": "the cloud does not accept its kind",
    "CERTIFICATE_REQUIRED": "the cloud demands one and got none",
    "ACCESS_DENIED": "access denied",
    "HANDSHAKE_FAILURE": "the handshake failed",
    "DECRYPT_ERROR": "the key does not fit the certificate",
}


class Trouble(Unavailable):
    """Something that keeps the edge from its work. `permanent`: trying again soon will hardly help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class WrongCa(Trouble):
    """The server could not prove that it is the cloud."""


class NotLetIn(Trouble):
    """The cloud refuses this certificate or this client."""


class CutOff(Trouble):
    """The cloud ended a connection in good order, as it does with clients that do what they may not."""


class TakenOver(Trouble):
    """Somebody else connected with this client id."""


def explained(error: Exception, endpoint: Endpoint, *, root_ca: str, certificate: str) -> Trouble:
    """Answer what an error while connecting means."""
    if isinstance(error, Trouble):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return _unproved(error, endpoint, root_ca)
    if isinstance(error, ssl.SSLError):
        reason = str(error.reason or error)
        for alert, meaning in _ALERTS.items():
            if "ALERT" in reason and alert in reason:
                return NotLetIn(f"{endpoint} refuses the certificate {certificate}: {meaning}", permanent=True)
        return Trouble(f"TLS with {endpoint} failed: {reason}")
    if isinstance(error, TimeoutError):
        return Trouble(f"{endpoint} does not answer")
    if isinstance(error, OSError):
        return Trouble(f"cannot reach {endpoint}: {error.strerror or error}")
    return Trouble(f"{endpoint}: {error}")


def _unproved(error: ssl.SSLCertVerificationError, endpoint: Endpoint, root_ca: str) -> WrongCa:
    if error.verify_code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
        text = f"the certificate of {endpoint} is for another host name; check the endpoint"
    elif error.verify_code in (9, 10):
        text = f"the certificate of {endpoint} is not valid at this time; check this machine's clock"
    else:
        text = f"the certificate of {endpoint} is not signed by the CA in {root_ca}; check rootCaPath"
    return WrongCa(text, permanent=True)


@contextmanager
def ungrouped() -> Iterator[None]:
    """Raise the first error of a task group as itself: what is around it deals with causes, not with groups."""
    try:
        yield
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from group
