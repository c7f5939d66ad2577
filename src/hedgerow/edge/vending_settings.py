"""How a device asks the vending machine: the section `hedgerow.VendingMachine` of `config.yaml`.

Serial number and token are values, or files in which the machine or its image has them. Which template makes the
device's thing is decided in the cloud, by who approves it. Leaves to others: the asking (`vending.py`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hedgerow.edge.endpoint import Endpoint, endpoint_at
from hedgerow.edge.pkcs11.uri import KeyPlace
from hedgerow.edge.places import file_at, path_below, place_at
from hedgerow.edge.section import Report, Section
from hedgerow.edge.trouble import Trouble

VENDING: Final = "hedgerow.VendingMachine"
LONGEST: Final = 4096  # bytes of a file with a serial number or a token


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a device says of itself: in the configuration, or in the first line of a file."""

    text: str = ""
    file: Path | None = None

    def read(self) -> str:
        """Answer it; raise Trouble, naming the file, when there is none. Blocks."""
        if self.file is None:
            return self.text
        try:
            with self.file.open("rb") as file:
                content = file.read(LONGEST).decode("utf-8", "replace")
        except OSError as error:
            raise Trouble(f"cannot read {self.file}: {error.strerror}", permanent=True) from error
        line = content.replace("\0", "\n").strip().partition("\n")[0].strip()  # a device tree ends texts with NUL
        if not line:
            raise Trouble(f"{self.file} is empty", permanent=True)
        return line


@dataclass(frozen=True, slots=True, kw_only=True)
class Vending:
    """Where the vending machine is, what it is told, and where the key and its certificate go."""

    endpoint: Endpoint
    serial: Said
    token: Said
    account: str = ""
    by_socket: bool = True
    new_certificate: Path
    new_private_key: KeyPlace


def vending_of(section: Section, root: Path, https: Endpoint, report: Report) -> Vending:
    """Read the section; what is wrong or missing is in the report then."""
    serial = _said(section, "serialNumber", root, report)
    token = _said(section, "token", root, report)
    where = section.text("endpoint")
    return Vending(
        endpoint=endpoint_at(where, https.port, f"services.{VENDING}.configuration.endpoint", report)
        if where
        else https,
        serial=serial,
        token=token,
        account=section.text("accountId"),
        by_socket=section.choice("connection", "WebSocket", ("WebSocket", "HTTPS")) == "WebSocket",
        new_certificate=file_at(root, section.text("certificatePath", "thingCert.crt"), report),
        new_private_key=place_at(root, section.text("privateKeyPath", "privKey.key"), report),
    )


def _said(section: Section, name: str, root: Path, report: Report) -> Said:
    wrong = len(report.wrong)
    text, file = section.text(name), section.text(f"{name}Path")
    where = f"services.{VENDING}.configuration"
    if text and file:
        report.wrong.append(f"{where} needs {name} or {name}Path, not both")
    if not text and not file and len(report.wrong) == wrong:
        report.missing.append(f"{where}.{name} (or {name}Path)")
    return Said(text=text, file=path_below(root, file) if file else None)
