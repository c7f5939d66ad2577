"""The ports: bound before anything is built. Where any free port will do, the one of the last time is taken again.

So devices that were told a port find their cloud again after a restart, also one that was started with `--api-port 0`.
"""

import json
import socket
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hedgerow.base.errors import Unusable
from hedgerow.base.sockets import bind
from hedgerow.cloud.ready import NAME
from hedgerow.cloud.settings import CloudSettings
from hedgerow.core.tls import Port

ANY: Final = 0
UNPRIVILEGED: Final = 1024


def last_ports(data: Path) -> dict[str, int]:
    """Answer the ports of the last run by name (api, mqtt, https, alpn, console); {} when there was none."""
    try:
        ready = json.loads((data / NAME).read_text("utf-8"))
        ports = {
            "api": urlsplit(ready["api_url"]).port,
            "mqtt": ready["mqtt_port"],
            "https": ready["https_port"],
            "alpn": ready.get("alpn_port"),
            "console": urlsplit(ready["console_url"] or "").port,
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {name: port for name, port in ports.items() if isinstance(port, int)}


def preferred(wanted: int, host: str | None, before: int | None) -> int:
    """Answer the port to ask for: the wanted one, or for any free one the last one if nobody has it now."""
    return before if wanted == ANY and before is not None and _is_free(host, before) else wanted


def _is_free(host: str | None, port: int) -> bool:
    family = socket.AF_INET6 if host is not None and ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host or "", port))
        except OSError:
            return False
    return True


def device_sockets(settings: CloudSettings, last: Mapping[str, int]) -> dict[Port, tuple[socket.socket, ...]]:
    """Bind the ports for devices; raise Unusable when one cannot be had."""
    wanted = [(Port.MQTT, "mqtt", settings.mqtt_port), (Port.HTTPS, "https", settings.https_port)]
    if settings.alpn_port is not None:
        wanted.append((Port.ALPN, "alpn", settings.alpn_port))
    found: dict[Port, tuple[socket.socket, ...]] = {}
    try:
        for kind, name, port in wanted:
            flag = "the setting alpn_port" if kind is Port.ALPN else f"--{name}-port"
            found[kind] = bound(settings.bind, preferred(port, settings.bind, last.get(name)), flag)
    except Unusable:
        for one in chain.from_iterable(found.values()):
            one.close()
        raise
    return found


def bound(host: str | None, port: int, flag: str) -> tuple[socket.socket, ...]:
    """Bind the port on all addresses of the host (None: every address); raise Unusable when it cannot be had."""
    try:
        return bind(host, port)
    except PermissionError as error:
        raise Unusable(
            f"cannot listen on port {port}: ports below {UNPRIVILEGED} need a right of their own "
            f"(CAP_NET_BIND_SERVICE, or a lower net.ipv4.ip_unprivileged_port_start); or choose another with {flag}"
        ) from error
    except OSError as error:
        raise Unusable(
            f"cannot listen on {host or 'all addresses'} port {port}: {error.strerror or error}; "
            f"choose another with {flag}, or 0 for any free one"
        ) from error


def port_of(sockets: Sequence[socket.socket]) -> int:
    """Answer the port that sockets have in common."""
    return int(sockets[0].getsockname()[1])
