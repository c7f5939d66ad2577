"""The gaps that one configuration for many machines leaves: the machine's name, and what somebody must still write.

`${hostname}` becomes the machine's name, up to its first dot, if that can tell machines apart and be a thing's name.
Leaves to others: everything else that the file says (`configuration.py`).
"""

import re
import socket
from collections.abc import Callable
from typing import Final

from hedgerow.base.errors import Unusable

HOSTNAME: Final = "${hostname}"
LEFT_OVER: Final = "REPLACEME"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_DEFAULT_NAMES: Final = frozenset({"localhost", "ubuntu", "debian", "raspberrypi", "buildroot"})


def filled_in(text: str, name: str, host_name: Callable[[], str] = socket.gethostname) -> str:
    """Answer the text with the machine's name in it; raise Unusable when there is none to put, or a gap is left."""
    left = [str(number) for number, line in enumerate(text.splitlines(), 1) if LEFT_OVER in line.split("#")[0]]
    if left:
        raise Unusable(
            f"{name} still says {LEFT_OVER} in line {', '.join(left)}; write the value, or {HOSTNAME} for this "
            "machine's name"
        )
    if HOSTNAME not in text:
        return text
    host = host_name().partition(".")[0]
    if not _NAME.fullmatch(host):
        raise Unusable(
            f"{name} asks for {HOSTNAME}, but this machine's name, {host!r}, has other than letters, digits, -"
        )
    if host.lower() in _DEFAULT_NAMES:
        raise Unusable(f"{name} asks for {HOSTNAME}, but every fresh machine is called {host}; name this one first")
    return text.replace(HOSTNAME, host)
