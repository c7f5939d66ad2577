"""By which names and addresses this machine is reached, when nobody says."""

import ipaddress
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def certificate_names(hosts: tuple[str, ...], bind: str | None) -> tuple[str, ...]:
    """Answer the names in the server certificate: the operator's and the bound address, or else this machine's.

    With the API on every address the loopback's names are there, too: URLs for this machine itself have them.
    """
    if bind is None:
        return hosts or machine_names()
    if _is_every(bind):
        return tuple(dict.fromkeys((*(hosts or machine_names()), "localhost", LOOPBACK)))
    return tuple(dict.fromkeys((*hosts, bind)))


def local_host(bind: str | None) -> str:
    """Answer the host by which this machine itself reaches what listens there: 0.0.0.0 and :: are no hosts."""
    return LOOPBACK if bind is None or _is_every(bind) else bind


def in_url(host: str) -> str:
    """Answer the host as URLs have it."""
    return f"[{host}]" if ":" in host else host


def is_loopback(bind: str) -> bool:
    """Tell whether nobody but this machine itself reaches what listens there."""
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"


def _is_every(bind: str) -> bool:
    try:
        return ipaddress.ip_address(bind).is_unspecified
    except ValueError:
        return False


def machine_names() -> tuple[str, ...]:
    """Answer the host name, its FQDN and `.local` form, localhost, and this machine's addresses."""
    name = socket.gethostname()
    names = [
        name,
        socket.getfqdn(),
        f"{name.split('.', 1)[0]}.local",
        "localhost",
        "127.0.0.1",
        "::1",
        *_addresses(name),
    ]
    return tuple(dict.fromkeys(each.lower() for each in names if each))


def _addresses(name: str) -> list[str]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        found = []
    return [str(place[0]).split("%", 1)[0] for *_, place in found] + _outward()


def _outward() -> list[str]:
    """Answer the address that traffic to elsewhere would leave from; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return [str(probe.getsockname()[0])]
        except OSError:
            return []


def reachable(names: tuple[str, ...]) -> str:
    """Answer the first name that this machine can resolve, so that the lines we print work here."""
    for name in names:
        try:
            socket.getaddrinfo(name, None)
        except OSError:
            continue
        return name
    return "localhost"
