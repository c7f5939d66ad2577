"""Every file that must survive a power cut is written through here: cloud, edge, blobs, keys.

A file is either the old one or the new one, never a mixture: the bytes go to a temporary file beside it, which is
synced, renamed over the name, and the folder is synced. A call that has returned is on the medium.

`Files` is what others take as an argument, `RealFiles` is how it is done, `Disk` are the single steps that it is made
of. The tests put a recording Disk underneath and replay every prefix of the steps with unsynced writes dropped or torn
(`tests/support/files.py`). Reading is left to `Path.read_bytes`. All of it blocks: call it off the loop.
A failure of the disk is raised as Unavailable, with the path and the cause.
"""

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Protocol

from hedgerow.base.errors import Unavailable

TEMPORARY: Final = ".hedgerow-tmp"
"""How the names of unfinished files end; `remove_unfinished` clears them away after a crash."""


class Files(Protocol):
    """Durable changes to files and folders. When a call returns, its effect survives a power cut."""

    def write_durably(self, path: Path, data: bytes, *, mode: int = 0o600) -> None:
        """Create or replace the file, whole: after a crash it has the old content or the new."""
        ...

    def write_new(self, path: Path, chunks: Iterable[bytes], *, mode: int = 0o600) -> None:
        """Write and sync a file that nobody knows by this name yet, to be renamed into its place afterwards.

        Its name should end with TEMPORARY. It must not exist. After a crash it may be torn or gone.
        """
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Give the file or folder its other name, replacing a file that has it; both folders are synced."""
        ...

    def remove(self, path: Path) -> None:
        """Remove the file; nothing happens when there is none."""
        ...

    def make_folder(self, path: Path, *, mode: int = 0o700) -> None:
        """Create the folder with all its parents; nothing happens when it is there."""
        ...

    def remove_folder(self, path: Path) -> None:
        """Remove the folder with everything in it; nothing happens when there is none. A crash may leave a part."""
        ...

    def remove_unfinished(self, folder: Path) -> None:
        """Remove what a crash left half written in this folder (not in those below)."""
        ...


class Disk(Protocol):
    """The single steps. Each raises OSError as the operating system does."""

    def create(self, path: Path, mode: int) -> int: ...
    def write(self, handle: int, data: bytes) -> None: ...
    def sync(self, handle: int) -> None: ...
    def close(self, handle: int) -> None: ...
    def rename(self, source: Path, target: Path) -> None: ...
    def unlink(self, path: Path) -> None: ...
    def mkdir(self, path: Path, mode: int) -> None: ...
    def rmdir(self, path: Path) -> None: ...
    def sync_folder(self, path: Path) -> None: ...


class RealDisk:
    """The steps as system calls."""

    def create(self, path: Path, mode: int) -> int:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        os.fchmod(handle, mode)  # whatever the umask is
        return handle

    def write(self, handle: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]

    def sync(self, handle: int) -> None:
        os.fsync(handle)

    def close(self, handle: int) -> None:
        os.close(handle)

    def rename(self, source: Path, target: Path) -> None:
        source.rename(target)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def mkdir(self, path: Path, mode: int) -> None:
        path.mkdir(mode)

    def rmdir(self, path: Path) -> None:
        path.rmdir()

    def sync_folder(self, path: Path) -> None:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class RealFiles:
    """Files on a disk. May be called from several threads at once."""

    def __init__(self, disk: Disk | None = None) -> None:
        self._disk = disk or RealDisk()

    def write_durably(self, path: Path, data: bytes, *, mode: int = 0o600) -> None:
        unfinished = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}{TEMPORARY}")
        with _named(path):
            self._write(unfinished, (data,), mode)
            try:
                self._disk.rename(unfinished, path)
            except OSError:
                self._forget(unfinished)
                raise
            self._disk.sync_folder(path.parent)

    def write_new(self, path: Path, chunks: Iterable[bytes], *, mode: int = 0o600) -> None:
        with _named(path):
            self._write(path, chunks, mode)

    def rename(self, source: Path, target: Path) -> None:
        with _named(target):
            self._disk.rename(source, target)
            self._disk.sync_folder(target.parent)
            if source.parent != target.parent:
                self._disk.sync_folder(source.parent)

    def remove(self, path: Path) -> None:
        with _named(path):
            try:
                self._disk.unlink(path)
            except FileNotFoundError:
                return
            self._disk.sync_folder(path.parent)

    def make_folder(self, path: Path, *, mode: int = 0o700) -> None:
        if path.is_dir():
            return
        if path.parent != path:
            self.make_folder(path.parent, mode=mode)
        with _named(path):
            try:
                self._disk.mkdir(path, mode)
            except FileExistsError:
                if not path.is_dir():
                    raise
            self._disk.sync_folder(path.parent)

    def remove_folder(self, path: Path) -> None:
        if not path.is_dir():
            return
        with _named(path):
            self._clear(path)
            self._disk.rmdir(path)
            self._disk.sync_folder(path.parent)

    def remove_unfinished(self, folder: Path) -> None:
        for path in sorted(folder.glob(f"*{TEMPORARY}")):
            self.remove(path)

    def _clear(self, folder: Path) -> None:
        for path in sorted(folder.iterdir()):
            if path.is_dir() and not path.is_symlink():
                self._clear(path)
                self._disk.rmdir(path)
            else:
                self._disk.unlink(path)

    def _write(self, path: Path, chunks: Iterable[bytes], mode: int) -> None:
        handle = self._disk.create(path, mode)
        try:
            try:
                for chunk in chunks:
                    self._disk.write(handle, chunk)
                self._disk.sync(handle)
            finally:
                self._disk.close(handle)
        except BaseException:
            self._forget(path)
            raise

    def _forget(self, path: Path) -> None:
        with contextlib.suppress(OSError):  # what stays is cleared away at the next start
            self._disk.unlink(path)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"cannot write {path}: {error.strerror or error}") from error
