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
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from hedgerow.base.errors import Unusable
from hedgerow.base.files import Files
from hedgerow.edge import configuration, tls
from hedgerow.edge.closed import close_keys
from hedgerow.edge.configuration import NUCLEUS, Configuration
from hedgerow.edge.enrolment import IDENTITY
from hedgerow.edge.layout import Layout
from hedgerow.edge.pkcs11.settings import exposed
from hedgerow.edge.pkcs11.uri import CERTIFICATE, KeyPlace, Pkcs11Uri
from hedgerow.edge.placeholders import filled_in
from hedgerow.edge.ready_made import common_name
from hedgerow.edge.settings import EdgeSettings, configuration_text
from hedgerow.edge.state import State, recall
from hedgerow.edge.trouble import Trouble

UNIT: Final = "hedgerow-edge.service"
UNITS: Final = Path("/etc/systemd/system")
_PLUGIN: Final = re.compile(r"fleet-?provisioning-?by-?claim|pkcs11-?provider", re.IGNORECASE)
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
    """What the installer is told. `units` is the folder of systemd's units.

    `text` stands for a configuration file. `values` go over what it says, `made` are files that will be there before it
    is carried out.
    """

    root: Path
    init_config: Path | None = None
    text: str = ""
    default_user: str = ""
    region: str = ""
    service: bool = False
    start: bool = True
    plugins: tuple[Path, ...] = ()
    units: Path = UNITS
    values: Mapping[str, Any] = field(default_factory=dict)
    made: frozenset[Path] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be set up: everything is looked at, nothing is written."""

    wish: Wish
    layout: Layout
    text: str
    read: Configuration


def install(wish: Wish, *, files: Files, say: Say, host_name: Callable[[], str] = socket.gethostname) -> None:
    """Set the device up; raise Unusable, with everything that is wrong, before anything is written. Blocks."""
    carry_out(planned(wish, host_name=host_name), files=files, say=say)


def stated(wish: Wish, *, host_name: Callable[[], str] = socket.gethostname) -> dict[str, Any]:
    """Answer what the configuration file says, {} when there is none and none was named. Blocks."""
    text, name = _text(wish)
    found = configuration.read_yaml(filled_in(text, name, host_name), name)
    return found if isinstance(found, dict) else {}


def planned(wish: Wish, *, host_name: Callable[[], str] = socket.gethostname) -> Plan:
    """Look at everything; raise Unusable with all that is wrong. Blocks."""
    layout = Layout(wish.root.absolute())
    text, name = _text(wish)
    faults: list[str] = []
    read: Configuration | None = None
    with _gathered(faults):
        text = filled_in(text, name, host_name)
    with _gathered(faults):
        text = _with_options(text, wish, name)
        read = configuration.read(text, root=layout.root, name=name)
        faults += _file_faults(read, name, wish.made | _used(read, layout))
    faults += [*_user_faults(wish.default_user if read is None else read.default_user), *_plugin_faults(wish.plugins)]
    if wish.service:
        faults += _service_faults(wish.units / UNIT, _command(layout.root))
    if faults or read is None:
        raise Unusable(f"the device cannot be set up: {'; '.join(faults)}")
    return Plan(wish=wish, layout=layout, text=text, read=read)


@contextmanager
def _gathered(faults: list[str]) -> Iterator[None]:
    try:
        yield
    except Unusable as error:
        faults.append(str(error))


def _file_faults(read: Configuration, name: str, there: Set[KeyPlace]) -> list[str]:
    """Look at what the configuration names; `there` need not be looked at."""
    missing = [f"there is no file {path}" for path in _needed(read) if path not in there and not path.is_file()]
    return [*missing, *_name_faults(read), *_pair_faults(read, there), *_token_faults(read, name, there)]


def _pair_faults(read: Configuration, there: Set[KeyPlace]) -> list[str]:
    """Use the CA, and key and certificate in files, as the edge will."""
    pair = read.claim or read.given
    places = [read.root_ca, *([] if pair is None else [pair.certificate, pair.private_key])]
    files = [place for place in places if isinstance(place, Path) and place not in there and place.is_file()]
    if read.root_ca not in files:
        return []
    look = partial(tls.trusting, read.root_ca)
    if len(files) == 3:
        look = partial(tls.mutual, root_ca=files[0], certificate=files[1], private_key=files[2])
    return [*filter(None, (_fault(look),))]


def carry_out(plan: Plan, *, files: Files, say: Say) -> None:
    """Put the configuration in its place, close the keys, and make the service. May be done again. Blocks."""
    wish, layout = plan.wish, plan.layout
    layout.create()
    files.write_durably(layout.config / "config.yaml", plan.text.encode(), mode=plan.read.file_mode)
    say(f"the configuration is in {layout.config / 'config.yaml'}")
    for warning in plan.read.warnings:
        say(f"warning: {warning}")
    close_keys(plan.read, say)
    if wish.service:
        unit = wish.units / UNIT
        files.write_durably(unit, _UNIT.format(command=_command(layout.root)).encode(), mode=0o644)
        say(f"the service is {unit}")
        _enable(unit, start=wish.start, say=say)


def _text(wish: Wish) -> tuple[str, str]:
    if wish.text:
        return wish.text, "config.yaml"
    try:
        return configuration_text(EdgeSettings(root=wish.root, init_config=wish.init_config), Layout(wish.root))
    except Unusable:
        if wish.init_config is not None or not wish.made:
            raise
        return "", "config.yaml"


def _with_options(text: str, wish: Wish, name: str) -> str:
    """Answer the text with what was said on the command line; untouched when nothing was."""
    nucleus: dict[str, Any] = {"awsRegion": wish.region} if wish.region else {}
    if wish.default_user:
        nucleus["runWithDefault"] = {"posixUser": wish.default_user}
    values: dict[str, Any] = {"services": {NUCLEUS: {"configuration": nucleus}}} if nucleus else {}
    values = _over(dict(wish.values), values)
    if not values:
        return text
    import yaml

    found = configuration.read_yaml(text, name)
    return str(yaml.safe_dump(_over(found if isinstance(found, dict) else {}, values), sort_keys=False))


def _over(document: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the document with the values in it; keys are found whatever their case."""
    result = dict(document)
    for key, value in values.items():
        found = next((name for name in result if str(name).lower() == key.lower()), key)
        inner = result.get(found)
        result[found] = _over(inner if isinstance(inner, dict) else {}, value) if isinstance(value, Mapping) else value
    return result


def _name_faults(read: Configuration) -> list[str]:
    """A ready-made certificate must say the thing's name when nothing else does."""
    if read.given is None or read.given.thing_name:
        return []
    certificate = read.given.certificate
    if not isinstance(certificate, Path) or not certificate.is_file():  # one in a token is read when the edge starts
        return []
    try:
        common_name(certificate)
    except Trouble as trouble:
        return [str(trouble)]
    return []


def _used(read: Configuration, layout: Layout) -> frozenset[KeyPlace]:
    """Answer the claim's key and certificate of a device that has become somebody by it: they have been removed."""
    if read.claim is None or not layout.state.is_file():
        return frozenset()
    state = State(layout.state)
    try:
        enrolled = state.now(lambda c: recall(c, IDENTITY)) is not None
    finally:
        state.close()
    return frozenset({read.claim.certificate, read.claim.private_key}) if enrolled else frozenset()


def _needed(read: Configuration) -> list[Path]:
    """Answer the files without which the edge has no way to an identity."""
    wanted = [read.root_ca, *(place for place in _there_already(read) if isinstance(place, Path))]
    if read.claim is not None:
        wanted += [read.claim.certificate, *([] if read.claim.csr is None else [read.claim.csr])]
    if read.vending is not None:
        wanted += [said.file for said in (read.vending.serial, read.vending.token) if said.file is not None]
    return wanted


def _there_already(read: Configuration) -> list[KeyPlace]:
    """Answer the keys, and certificates with them, that the edge uses and does not make."""
    new = [one.new_private_key for one in (read.claim, read.vending) if one is not None]
    return [place for place in read.key_places if place not in new]


def _token_faults(read: Configuration, name: str, there: Set[KeyPlace]) -> list[str]:
    """Open the token as the edge will, and look for what must be there; `there` need not."""
    if read.token is None:
        return []
    from hedgerow.edge.pkcs11.token import Token  # late: only a device with a token needs it

    faults = [*filter(None, (exposed(name),))]
    token = Token(read.token)
    looks: list[Callable[[], object]] = [
        partial(token.certificate if place.type == CERTIFICATE else token.key, place)
        for place in _there_already(read)
        if isinstance(place, Pkcs11Uri) and place not in there
    ]
    try:
        token.check()
        faults += [fault for look in looks if (fault := _fault(look)) is not None]
    except Trouble as trouble:
        faults.append(str(trouble))
    finally:
        token.close()
    return faults


def _fault(look: Callable[[], object]) -> str | None:
    try:
        look()
    except Trouble as trouble:
        return str(trouble)
    return None


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
    """Provisioning by claim and PKCS#11 are built in, so naming their files is no fault; others cannot be honoured."""
    return [
        f"--trusted-plugin {path}: this edge loads no plugins (provisioning by claim and PKCS#11 are built in)"
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
