"""By which names and addresses this machine is reached, when nobody says."""

import socket


def certificate_names(hosts: tuple[str, ...], bind: str | None) -> tuple[str, ...]:
    """Answer the names in the server certificate: the operator's, else the bound address, else this machine's."""
    if bind is not None:
        return tuple(dict.fromkeys((*hosts, bind)))
    return hosts or machine_names()


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
