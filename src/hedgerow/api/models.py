"""The service models on disk: botocore's, and our own beside `core/wire`."""

import gzip
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hedgerow.base.errors import Unusable
from hedgerow.core.wire import without_documentation

OWN_MODELS = Path(__file__).parent.parent / "core" / "wire" / "models"


def botocore_models() -> Path:
    """Answer the folder of botocore's models without importing botocore."""
    found = importlib.util.find_spec("botocore")
    if found is None or found.origin is None:
        raise Unusable("botocore is not installed: pip install 'hedgerow[cloud]'")
    return Path(found.origin).parent / "data"


class ModelFiles:
    """Loads `<folder>/<service>/<newest date>/service-2.json[.gz]` from the first folder that has the service."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    def __call__(self, service: str) -> dict[str, Any] | None:
        """Answer a service's model without its documentation, None when no folder has it."""
        for folder in self._folders:
            versions = sorted((folder / service).glob("*/service-2.json*"), key=lambda path: path.parent.name)
            if versions:
                return _read(versions[-1])
        return None


def _read(path: Path) -> dict[str, Any]:
    raw = path.read_bytes()
    if path.suffix == ".gz":
        raw = gzip.decompress(raw)
    model: dict[str, Any] = json.loads(raw, object_hook=without_documentation)
    return model
