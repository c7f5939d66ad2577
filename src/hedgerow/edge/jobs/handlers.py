"""The folder of executables that jobs may name, and what must hold before one of them is run.

A handler is a file in the folder, by its name alone. Whoever can write a handler can do what the edge may, so file and
folder must belong to root or to the edge's user and be writable by nobody else. A folder named by a document (`path`)
must hold to the same rule.
"""

import os
import stat
from pathlib import Path

from hedgerow.base.errors import HedgerowError


class NoHandler(HedgerowError):
    """There is no such handler, or it is not safe to run."""


def find(folder: Path, name: str) -> Path:
    """Answer the executable of this name; raise NoHandler when there is none that may be run. Blocks."""
    if name in ("", ".", "..") or Path(name).name != name:
        raise NoHandler(f"{name!r} is not the name of a handler: it must be a file's name, without a folder")
    path = folder / name
    try:
        _check(folder, folder.stat(), "folder")
        found = path.stat()
    except FileNotFoundError as error:
        raise NoHandler(f"there is no handler {name} in {folder}") from error
    except OSError as error:
        raise NoHandler(f"cannot look at {path}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise NoHandler(f"{path} is not a file")
    _check(path, found, "handler")
    if not os.access(path, os.X_OK):
        raise NoHandler(f"{path} is not executable: chmod 700 it")
    return path


def _check(path: Path, found: os.stat_result, what: str) -> None:
    if found.st_uid not in (0, os.geteuid()):
        raise NoHandler(f"the {what} {path} belongs to another user: it must belong to root or to the edge's user")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise NoHandler(f"others can write the {what} {path}: chmod go-w it")
