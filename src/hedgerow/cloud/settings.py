"""The settings of the cloud process: flags, then `HEDGEROW_*`, then `DIR/hedgerow.toml`."""

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hedgerow.base.errors import Unusable
from hedgerow.base.settings import load, read_toml
from hedgerow.core.mqtt.limits import SETS

MAX_PORT = 65_535
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE | re.ASCII)
_REGION = re.compile(r"(?!\d+$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE | re.ASCII)  # as boto3 takes it


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudSettings:
    """Everything that can be set. A port of 0 means any free one."""

    data: Path  # the data folder
    bind: str | None = None  # where ports are, then API and console (off loopback) with TLS; default: all addresses
    host: tuple[str, ...] = ()  # names in the server certificate and in answers; default: this machine's
    account: str | None = None  # 12 digits; chosen at the first start
    region: str | None = None  # chosen at the first start
    api_port: int = 8080
    mqtt_port: int = 8883
    https_port: int = 8443
    alpn_port: int | None = None  # MQTT and HTTPS on one port, told apart by ALPN, as AWS's 443; default: not served
    console_port: int = 8090
    console: bool = True  # whether to start the web console
    console_certificate: Path | None = None  # with its chain (PEM), what browsers are shown; default: the cloud's own
    console_key: Path | None = None  # its key (PEM); both are read again when they change
    limits: str = "aws-shapes"  # aws-shapes, aws or own
    log_level: str = "INFO"
    ready_file: Path | None = None
    webhook_networks: tuple[str, ...] = ()  # networks (CIDR) that webhooks and OIDC may reach, too
    metrics_networks: tuple[str, ...] = ()  # networks (CIDR) that may read /metrics beside this machine
    proxy_networks: tuple[str, ...] = ()  # networks (CIDR) of reverse proxies whose X-Forwarded-For is believed
    functions_user: str | None = None  # user[:group] that functions run as; needs root and functions_folder
    functions_folder: Path | None = None  # where packages are unpacked; default: in the data folder
    functions_confined: bool = (
        True  # functions see the system, their own code and /tmp only, where the kernel can do that
    )
    functions_read: tuple[str, ...] = ()  # files and folders that functions may read, too
    database: str | None = None  # a PostgreSQL URL; default: SQLite in the data folder


def read_settings(
    given: Mapping[str, Any], *, environment: Mapping[str, str], file: Path | None = None
) -> CloudSettings:
    """Read and check the settings; raise Unusable with one line that says what to do."""
    if given.get("data") is None:
        raise Unusable("--data DIR is missing: the folder that the cloud keeps its state in")
    if file is not None and not file.exists():
        raise Unusable(f"the settings file {file} does not exist")
    content = read_toml(file or Path(given["data"]) / "hedgerow.toml")
    settings = load(CloudSettings, given=given, environment=environment, file=content)
    check(settings)
    return settings


def check(settings: CloudSettings) -> None:
    """Raise Unusable for a value that cannot work."""
    for name in ("api_port", "mqtt_port", "https_port", "console_port"):
        if not 0 <= getattr(settings, name) <= MAX_PORT:
            raise Unusable(f"--{name.replace('_', '-')} must be 0 to {MAX_PORT}, not {getattr(settings, name)}")
    if settings.alpn_port is not None and not 0 <= settings.alpn_port <= MAX_PORT:
        raise Unusable(f"alpn_port must be 0 to {MAX_PORT}, not {settings.alpn_port}")
    if settings.account is not None and not re.fullmatch("[0-9]{12}", settings.account):
        raise Unusable(f"--account must be 12 digits, not {settings.account!r}")
    if settings.limits not in SETS:
        raise Unusable(f"--limits must be one of {', '.join(SETS)}, not {settings.limits!r}")
    if settings.region is not None and not _REGION.fullmatch(settings.region):
        raise Unusable(f"--region must be letters, digits and -, like us-east-1, not {settings.region!r}")
    if settings.bind is not None and not _is_host(settings.bind):
        raise Unusable(f"--bind must be an IP address or a host name of this machine, not {settings.bind!r}")
    _check_console(settings)
    for host in settings.host:
        if not _is_host(host):
            raise Unusable(f"--host must be a host name or an IP address, not {host!r}")
    networks(settings)
    metrics_networks(settings)
    proxy_networks(settings)
    _check_functions(settings)


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= 253 and all(_LABEL.fullmatch(label) for label in text.removesuffix(".").split("."))
    return True


def _check_console(settings: CloudSettings) -> None:
    if (settings.console_certificate is None) != (settings.console_key is None):
        raise Unusable("console_certificate and console_key go together: a certificate and its key")
    if settings.console_certificate is not None and settings.bind is None:
        raise Unusable("console_certificate needs --bind: without it the console speaks HTTP, to this machine alone")


def _check_functions(settings: CloudSettings) -> None:
    for place in settings.functions_read:
        if not Path(place).is_absolute() or not Path(place).exists():
            raise Unusable(f"functions_read must be absolute paths of what is there, not {place!r}")
    if settings.functions_user is None:
        return
    if os.geteuid() != 0:
        raise Unusable("functions_user needs root: only root can start processes of another user")
    if settings.functions_folder is None:
        raise Unusable("functions_user needs functions_folder: a folder that this user can reach, outside of the data")


def networks(settings: CloudSettings) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Answer the networks that webhooks may reach; raise Unusable when one is none."""
    return _networks("webhook_networks", settings.webhook_networks)


def metrics_networks(settings: CloudSettings) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Answer the networks that may read the figures; raise Unusable when one is none."""
    return _networks("metrics_networks", settings.metrics_networks)


def proxy_networks(settings: CloudSettings) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Answer the networks of reverse proxies; raise Unusable when one is none."""
    return _networks("proxy_networks", settings.proxy_networks)


def _networks(name: str, texts: Iterable[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    try:
        return [ipaddress.ip_network(text) for text in texts]
    except ValueError as error:
        raise Unusable(f"{name} must be networks like 10.0.0.0/8: {error}") from error
