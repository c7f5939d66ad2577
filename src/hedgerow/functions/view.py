"""What of the file system instances see: the system, what their runtime needs, their own code and scratch folder, /tmp.

The rest is closed to them, whoever's user they run as: the keys of this host, its data, other functions, homes. The
launcher has the kernel enforce it (Landlock, since Linux 5.13), which needs neither root nor a container. What Landlock
leaves open: looking up names that are known, changing modes of files of one's own user, sockets that have a path.
Spec: Landlock, kernel documentation (userspace API); Lambda developer guide: only /tmp can be written.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from hedgerow.functions.launcher import TEMPORARY, landlock_abi

_OF_ETC: Final = (  # not all of it: keys lie there, too
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "fonts",
    "gai.conf",
    "group",
    "host.conf",
    "hostname",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "localtime",
    "magic",
    "mime.types",
    "networks",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "pki/ca-trust",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "pki/tls/openssl.cnf",
    "profile",
    "protocols",
    "resolv.conf",
    "services",
    "ssl/cert.pem",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
)
SYSTEM: Final = (
    "/bin",
    *(f"/etc/{name}" for name in _OF_ETC),
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/proc",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/sbin",
    "/sys",
    "/usr",
)
DEVICES: Final = ("/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero")
_SINCE: Final = (  # versions of Landlock
    (3, "cutting files short (needs Linux 6.2)"),
    (6, "signals to other processes of the same user (needs Linux 6.12)"),
)


@dataclass(frozen=True, kw_only=True)  # no slots: it remembers what it looked up
class View:
    """Places with all that is below them; those that are not there are left out. Read includes execute."""

    read: tuple[Path, ...]
    write: tuple[Path, ...]

    def argument(self, *, read: Iterable[Path] = (), scratch: Path | None = None, own_temporary: bool = False) -> str:
        """Answer what the launcher is told: a line for each place, for one instance with places of its own."""
        lines = [f"r{place}" for place in read if place.exists()] + self._always
        if scratch is not None:
            lines += [f"w{scratch}", f"t{scratch}"] if own_temporary else [f"w{scratch}"]
        return "\n".join(lines)

    @cached_property
    def _always(self) -> list[str]:
        """The lines of every instance; looked up once, for each start waits for it."""
        lines = [f"r{place}" for place in self.read if place.exists()]
        return lines + [f"w{place}" for place in self.write if place.exists()]

    def gaps(self, secrets: Iterable[Path], *, own_temporary: bool = False) -> tuple[str, ...]:
        """Say in words what is open all the same: the host cannot close it, or secrets lie in an open place."""
        abi = landlock_abi()
        found = [words for since, words in _SINCE if abi < since]
        if not own_temporary:
            found.append("own /tmp (needs root, or user namespaces that may mount): functions share it")
        seen = [place for place in (*self.read, *self.write) if not own_temporary or place != Path(TEMPORARY)]
        for secret in secrets:
            around = [place for place in seen if secret.resolve().is_relative_to(place.resolve())]
            if around:
                found.append(f"{secret} is below {around[0]}, which functions see: put it elsewhere")
        return tuple(found)


def system_view(*, read: Iterable[Path] = (), write: Iterable[Path] = (), sysfs: bool = True) -> View:
    """Answer what every function sees, with further places; without /sys where that is not wanted."""
    return View(
        read=(*(Path(place) for place in SYSTEM if sysfs or place != "/sys"), *read),
        write=(*(Path(place) for place in DEVICES), Path(TEMPORARY), *write),
    )


def can_confine() -> bool:
    """Whether this kernel can hold a process to a view."""
    return landlock_abi() > 0
