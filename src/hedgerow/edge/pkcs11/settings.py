"""What the configuration says of the token: the section `aws.greengrass.crypto.Pkcs11Provider`.

Leaves to others: whether there is such a token (`token.py`). Spec: Greengrass V2, "PKCS#11 provider component".
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hedgerow.edge.section import Report, Section

PROVIDER: Final = "aws.greengrass.crypto.Pkcs11Provider"
_NAMES: Final = ("name", "library", "slot", "userPin")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSettings:
    """How to reach the token. The PIN is never shown."""

    name: str
    library: Path
    slot: int
    user_pin: str = field(repr=False)


def read(section: Section, report: Report, *, wanted: bool) -> TokenSettings | None:
    """Answer the settings, None when there are none; `wanted` says that a key stands in a token."""
    here = f"services.{PROVIDER}.configuration"
    if not section and not wanted:
        return None
    if not wanted:
        report.warnings.append(f"{here} has no effect: no path of a private key begins with pkcs11:")
    name, library = section.required("name"), section.required("library")
    if library and not Path(library).is_absolute():
        report.wrong.append(f"{here}.library must be the whole path of the token's PKCS#11 library, not {library!r}")
    section.required("slot")
    slot = section.number("slot", 0)
    return TokenSettings(name=name, library=Path(library), slot=slot, user_pin=section.required("userPin"))


def exposed(file: str) -> str | None:
    """Say what is wrong when others may read the file, which holds a PIN. Blocks."""
    path = Path(file)
    if not path.exists() or path.stat().st_mode & 0o077 == 0:
        return None
    return f"{file} holds userPin and others can read it; close it first: chmod 600 {file}"
