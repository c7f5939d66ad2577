"""Keys that the cloud makes for itself, once, and keeps sealed in its folder: for page tokens, for ownership tokens."""

import os
from pathlib import Path
from typing import Final

from hedgerow.base.files import Files
from hedgerow.store import Vault

KEY_BYTES: Final = 32


def sealed_key(folder: Path, name: str, *, vault: Vault, files: Files) -> bytes:
    """Answer the key of that name, made the first time. Raises Unusable when it is damaged."""
    place, context = folder / f"{name}.key", f"key {name}"
    if place.exists():
        return vault.open(place.read_bytes(), context=context)
    key = os.urandom(KEY_BYTES)
    files.write_durably(place, vault.seal(key, context=context), mode=0o600)
    return key
