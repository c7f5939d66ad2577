"""Setting a device up: its configuration, checked and in its place, and a system service that runs the edge.

Takes what the Greengrass nucleus' installer takes. Everything is looked at first and all faults are said at once;
nothing is written before. `${hostname}` in the file becomes the machine's name. What this edge has no use for is
refused by name, not passed over. Spec: Greengrass V2, "Installer arguments".
"""

import grp
import os
import pwd
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hedgerow.base.errors import Unusable
from hedgerow.base.files import Files
from hedgerow.edge import configuration
from hedgerow.edge.configuration import NUCLEUS, Configuration
from hedgerow.edge.layout import Layout
from hedgerow.edge.settings import EdgeSettings, configuration_text

UNIT: Final = "hedgerow-edge.service"
UNITS: Final = Path("/etc/systemd/system")
HOSTNAME: Final = "${hostname}"
LEFT_OVER: Final = "REPLACEME"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_DEFAULT_NAMES: Final = frozenset({"localhost", "ubuntu", "debian", "raspberrypi", "buildroot"})
_PLUGIN: Final = re.compile(r"fleet-?provisioning-?by-?claim", re.IGNORECASE)
_UNIT: Final = """\
[Unit]
Description=Hedgerow edge
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart={command}
Restart=always
RestartSec=5
RestartPreventExitStatus=2
TimeoutStopSec=90
UMask=0077

[Install]
WantedBy=multi-user.target
"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the installer is told. `units` is the folder of systemd's units."""

    root: Path
    init_config: Path | None = None
    default_user: str = ""
    region: str = ""
    service: bool = False
    start: bool = True
    plugins: tuple[Path, ...] = ()
    units: Path = UNITS


def install(wish: Wish, *, files: Files, say: Say, host_name: Callable[[], str] = socket.gethostname) -> None:
    """Set the device up; raise Unusable, with everything that is wrong, before anything is written. Blocks."""
    root = wish.root.absolute()
    layout = Layout(root)
    text, name = configuration_text(EdgeSettings(root=root, init_config=wish.init_config), layout)
    text = _with_options(_filled_in(text, name, host_name), wish, name)
    read = configuration.read(text, root=root, name=name)
    faults = [*_missing_files(read), *_user_faults(read.default_user), *_plugin_faults(wish.plugins)]
    unit, command = wish.units / UNIT, _command(root)
    if wish.service:
        faults += _service_faults(unit, command)
    if faults:
        raise Unusable(f"the device cannot be set up: {'; '.join(faults)}")
    layout.create()
    files.write_durably(layout.config / "config.yaml", text.encode(), mode=0o644)
    say(f"the configuration is in {layout.config / 'config.yaml'}")
    for warning in read.warnings:
        say(f"warning: {warning}")
    _close_keys(read, say)
    if wish.service:
        files.write_durably(unit, _UNIT.format(command=command).encode(), mode=0o644)
        say(f"the service is {unit}")
        _enable(unit, start=wish.start, say=say)


def _filled_in(text: str, name: str, host_name: Callable[[], str]) -> str:
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


def _with_options(text: str, wish: Wish, name: str) -> str:
    """Answer the text with what was said on the command line; untouched when nothing was."""
    if not wish.default_user and not wish.region:
        return text
    import yaml

    found = configuration.read_yaml(text, name)
    document: dict[str, Any] = found if isinstance(found, dict) else {}
    nucleus = _below(_below(_below(document, "services"), NUCLEUS), "configuration")
    if wish.region:
        nucleus["awsRegion"] = wish.region
    if wish.default_user:
        _below(nucleus, "runWithDefault")["posixUser"] = wish.default_user
    return str(yaml.safe_dump(document, sort_keys=False))


def _below(section: dict[str, Any], name: str) -> dict[str, Any]:
    found = next((key for key in section if str(key).lower() == name.lower()), name)
    if not isinstance(section.get(found), dict):
        section[found] = {}
    inner: dict[str, Any] = section[found]
    return inner


def _missing_files(read: Configuration) -> list[str]:
    wanted = [read.root_ca]
    if read.claim is not None:
        wanted += [read.claim.certificate, read.claim.private_key]
    if read.given is not None:
        wanted += [read.given.certificate, read.given.private_key]
    if read.vending is not None:
        wanted += [said.file for said in (read.vending.serial, read.vending.token) if said.file is not None]
    return [f"there is no file {path}" for path in wanted if not path.is_file()]


def _user_faults(account: str) -> list[str]:
    user, _, group = account.partition(":")
    faults = []
    if user:
        try:
            pwd.getpwnam(user)
        except KeyError:
            faults.append(f"there is no user {user} (make it: useradd --system {user})")
    if group:
        try:
            grp.getgrnam(group)
        except KeyError:
            faults.append(f"there is no group {group} (make it: groupadd --system {group})")
    return faults


def _plugin_faults(plugins: Sequence[Path]) -> list[str]:
    """Provisioning by claim is built in, so naming its file is no fault; others cannot be honoured."""
    return [
        f"--trusted-plugin {path}: this edge loads no plugins (provisioning by claim is built in)"
        for path in plugins
        if not _PLUGIN.search(path.name)
    ]


def _service_faults(unit: Path, command: str) -> list[str]:
    if not unit.parent.is_dir():
        return [f"there is no folder {unit.parent}: systemd is not on this machine"]
    if not os.access(unit.parent, os.W_OK):
        return [f"cannot write {unit.parent}: run this as root, or without --setup-system-service"]
    if unit.exists() and f"ExecStart={command}\n" not in unit.read_text("utf-8", "replace"):
        return [f"{unit} runs another edge; remove it first"]
    return []


def _close_keys(read: Configuration, say: Say) -> None:
    """Private keys that others can read are closed."""
    keys = [one.private_key for one in (read.claim, read.given) if one is not None]
    for key in keys:
        if key.stat().st_mode & 0o077:
            key.chmod(0o600)
            say(f"others could read {key}; it has mode 600 now")


def _command(root: Path) -> str:
    return " ".join(_quoted(word) for word in (sys.executable, "-m", "hedgerow", "edge", "run", "--root", str(root)))


def _quoted(word: str) -> str:
    """Answer a word as systemd's ExecStart reads it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if re.search(r"[\s'\"\\;]", word) else escaped


def _enable(unit: Path, *, start: bool, say: Say) -> None:
    """Have the service run at every boot, and now. Without a running systemd (an image being built): at every boot."""
    if unit.parent == UNITS and Path("/run/systemd/system").is_dir():
        _systemctl("daemon-reload")
        _systemctl("enable", unit.name)
        if start:
            _systemctl("restart", unit.name)
        say(f"{unit.name} {'runs, and ' if start else ''}starts at every boot")
        return
    wants = unit.parent / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    link = wants / unit.name
    link.unlink(missing_ok=True)
    link.symlink_to(unit)
    say(f"{unit.name} starts at the next boot (no systemd runs here now)")


def _systemctl(*arguments: str) -> None:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, timeout=120, check=False)  # noqa: S603, S607
    if done.returncode:
        raise Unusable(f"systemctl {' '.join(arguments)} failed: {done.stderr.strip() or done.returncode}")
