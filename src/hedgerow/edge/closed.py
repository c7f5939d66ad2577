"""Private keys, and what else proves a device, are closed when others can read them: at installation and at each start.

What is in files only; a token keeps its keys itself. Leaves to others: the modes of files that the edge writes.
"""

from collections.abc import Callable
from pathlib import Path

from hedgerow.edge.configuration import Configuration
from hedgerow.edge.pkcs11.uri import KeyPlace


def close_keys(read: Configuration, say: Callable[[str], None]) -> None:
    """Give them mode 600, and say so. Blocks."""
    keys: list[KeyPlace | None] = [*read.key_places] if read.given is None else [read.given.private_key]
    if read.vending is not None:
        keys.append(read.vending.token.file)
    for key in (key for key in keys if isinstance(key, Path) and key.is_file()):
        if key.stat().st_mode & 0o077:
            try:
                key.chmod(0o600)
            except OSError as error:  # a file system without modes, or another's file
                say(f"warning: others can read {key}, and it cannot be closed: {error.strerror}")
            else:
                say(f"others could read {key}; it has mode 600 now")
