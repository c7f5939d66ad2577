"""What kind of machine this is, in the words that recipes use."""

import os
from collections.abc import Mapping
from typing import Final

_ARCHITECTURES: Final = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "i386": "x86",
    "i686": "x86",
    "aarch64": "aarch64",
    "arm64": "aarch64",
}


def attributes(override: Mapping[str, str]) -> dict[str, str]:
    """Answer the attributes that manifests are matched with; the operator's own come last."""
    machine = os.uname().machine
    architecture = _ARCHITECTURES.get(machine, "arm" if machine.startswith("arm") else machine)
    found = {"os": os.uname().sysname.lower(), "architecture": architecture}
    if architecture in ("arm", "aarch64"):
        found["architecture.detail"] = machine
    return {**found, **override}
