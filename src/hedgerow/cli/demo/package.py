"""Packs the radio monitor into a Lambda package: its sources and the wheels that `make setup` put aside."""

import io
import zipfile
from pathlib import Path
from typing import Final

from hedgerow.base.errors import Unusable

CHECKOUT: Final = Path(__file__).resolve().parents[4]
EXAMPLE: Final = Path("examples") / "radio-monitor"
WHEELS: Final = Path("build") / "wheels"
HANDLER: Final = "monitor.handler"


def check_checkout() -> None:
    """Raise Unusable unless the example and its wheels are there."""
    if not (CHECKOUT / EXAMPLE / "monitor.py").exists():
        raise Unusable("the demo deploys examples/radio-monitor: run it in a checkout of Hedgerow, with make demo")
    if not list((CHECKOUT / WHEELS).glob("*.whl")):
        raise Unusable("the wheels of examples/radio-monitor are not there: run make setup first")


def pack(release: int) -> bytes:
    """Answer the zip of a release. The same release always gives the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for source in sorted((CHECKOUT / EXAMPLE).glob("*.py")):
            text = source.read_text("utf-8")
            if source.name == "release.py":
                text = text.replace("RELEASE = 1", f"RELEASE = {release}")
            _add(archive, source.name, text.encode())
        for wheel in sorted((CHECKOUT / WHEELS).glob("*.whl")):
            _add_wheel(archive, wheel)
    return packed.getvalue()


def _add_wheel(archive: zipfile.ZipFile, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as source:
        for entry in source.infolist():
            if not entry.is_dir():
                _add(archive, entry.filename, source.read(entry))


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name)  # 1980-01-01, whenever this runs
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)
