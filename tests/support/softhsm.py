"""A PKCS#11 token made of files (SoftHSM), with pkcs11-tool as the neutral judge of what is in it."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from hedgerow.edge.pkcs11.cryptoki import Library
from hedgerow.edge.pkcs11.settings import TokenSettings

LIBRARY = next(
    (
        path
        for path in map(Path, ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"))
        if path.exists()
    ),
    None,
)
PIN = "4711-secret"


@dataclass(frozen=True, slots=True)
class SoftToken:
    """One token, in a folder of its own."""

    slot: int
    library: Path

    @property
    def settings(self) -> TokenSettings:
        return TokenSettings(name="test", library=self.library, slot=self.slot, user_pin=PIN)

    def section(self, *, pin: str = PIN) -> str:
        """Answer the part of config.yaml that names the token, to stand under `services`."""
        return (
            "  aws.greengrass.crypto.Pkcs11Provider:\n    configuration:\n"
            f'      name: test\n      library: {self.library}\n      slot: {self.slot}\n      userPin: "{pin}"\n'
        )

    def tool(self, *arguments: str) -> str:
        """Run pkcs11-tool as the user."""
        command = ["pkcs11-tool", "--module", str(self.library), "--slot", str(self.slot), "--login", "--pin", PIN]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=True, timeout=60).stdout

    def labels(self, kind: str = "privkey") -> list[str]:
        """Answer the labels of the objects of this kind."""
        return sorted(re.findall(r"^ +label: +(.*)$", self.tool("--list-objects", "--type", kind), re.MULTILINE))


def soft_token(folder: Path, patch: pytest.MonkeyPatch) -> SoftToken:
    """Make a token, and have this process and its children see it; skip the test where there is no SoftHSM."""
    missing = LIBRARY is None or shutil.which("softhsm2-util") is None or shutil.which("pkcs11-tool") is None
    if missing and not os.environ.get("HEDGEROW_TESTS_SKIP_NOTHING"):
        pytest.skip("needs a PKCS#11 token: install Debian's packages softhsm2 and opensc")
    assert LIBRARY is not None
    (folder / "tokens").mkdir(parents=True)
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    patch.setenv("SOFTHSM2_CONF", str(configuration))
    Library(LIBRARY).close()  # it reads its configuration when it begins: an earlier test must not have it begun
    made = subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "edge", "--pin", PIN, "--so-pin", "12345678"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = re.search(r"reassigned to slot (\d+)", made.stdout)
    assert found is not None, made.stdout
    return SoftToken(int(found[1]), LIBRARY)
