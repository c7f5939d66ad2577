"""Folders that instances of another user must pass through: they may be entered, not listed, whatever our umask is."""

from pathlib import Path
from typing import Final

PASSABLE: Final = 0o711
READABLE: Final = 0o444


def make_passable(folder: Path) -> None:
    """Create the folder with all its parents; those that are there stay as they are."""
    if folder.is_dir():
        return
    make_passable(folder.parent)
    folder.mkdir(exist_ok=True)
    folder.chmod(PASSABLE)


def make_readable(folder: Path) -> None:
    """Let everybody list the folder and read what is in it; links are left alone, they point at what is not ours."""
    for entry in (folder, *folder.rglob("*")):
        if not entry.is_symlink():
            entry.chmod(entry.stat().st_mode | (READABLE | 0o111 if entry.is_dir() else READABLE))
