"""Which ports a cloud had before: where any free port will do, the one of the last time is taken again.

So devices that were told a port find their cloud again after a restart, also one that was started with `--api-port 0`.
"""

import json
import socket
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hedgerow.cloud.ready import NAME

ANY: Final = 0


def last_ports(data: Path) -> dict[str, int]:
    """Answer the ports of the last run by name (api, mqtt, https, console); {} when there was none."""
    try:
        ready = json.loads((data / NAME).read_text("utf-8"))
        ports = {
            "api": urlsplit(ready["api_url"]).port,
            "mqtt": ready["mqtt_port"],
            "https": ready["https_port"],
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
