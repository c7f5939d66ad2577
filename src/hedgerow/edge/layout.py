"""The folder of an edge, laid out as the nucleus does, and the lock that keeps a second process out.

Leaves to others: what is in the files.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hedgerow.base.errors import Unavailable, Unusable

_PASSING: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is under the root."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def state(self) -> Path:
        return self.root / "state.db"

    @property
    def artifacts(self) -> Path:
        return self.root / "packages" / "artifacts"

    @property
    def unarchived(self) -> Path:
        return self.root / "packages" / "artifacts-unarchived"

    @property
    def recipes(self) -> Path:
        return self.root / "packages" / "recipes"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def deployments(self) -> Path:
        return self.root / "deployments"

    @property
    def ipc_socket(self) -> Path:
        return self.root / "ipc.socket"

    def create(self) -> None:
        """Make the folders; raise Unusable when that cannot be, Unavailable when it may be later."""
        folders = (self.config, self.logs, self.artifacts, self.unarchived, self.recipes, self.work, self.deployments)
        try:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True, mode=0o755)
            for folder in (self.artifacts.parent, self.root):
                sync_folder(folder)
            with suppress(PermissionError):  # a parent that we may pass through but not read
                sync_folder(self.root.parent)
        except OSError as error:
            raise unusable(self.root, error) from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """Own the root for as long as the context lasts; raise Unusable when another process does."""
        path = self.root / ".lock"
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unusable(self.root, error) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                owner = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
                raise Unusable(f"another edge (process {owner}) runs on {self.root}; stop it first") from error
            with suppress(OSError):  # a full disk: then nobody is told which process it is
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(handle)


def unusable(path: Path, error: OSError) -> Unusable | Unavailable:
    """Answer what an error means: what passes, as a full disk does, is worth another try; the rest is a mistake."""
    text = f"cannot use the folder {path}: {error.strerror}"
    return Unavailable(text) if error.errno in _PASSING else Unusable(text)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the medium. Blocks."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
