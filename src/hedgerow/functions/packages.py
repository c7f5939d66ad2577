"""Deployment packages: a zip is checked and unpacked into a folder named after its content.

An entry that would land outside the folder, a link that points out of it, a special file or too much data refuse the
whole package. The folder appears by one rename, complete or not at all, and is read-only.
Spec: AWS's quotas of deployment packages.
"""

import hashlib
import os
import re
import shutil
import stat
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from hedgerow.functions.errors import PackageRefused
from hedgerow.functions.folders import make_passable

MAX_UNPACKED: Final = 250 * 1024 * 1024  # bytes
MAX_ENTRIES: Final = 50_000
MAX_LINK: Final = 1024  # bytes of a link's target
_CHUNK: Final = 1024 * 1024
_ENCRYPTED: Final = 0x1
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """An unpacked package. `digest` is the SHA-256 of the zip, hex."""

    folder: Path
    digest: str


def check(source: Path | BinaryIO, *, max_bytes: int = MAX_UNPACKED) -> int:
    """Look through a zip without unpacking it; answer its unpacked size. Raises PackageRefused."""
    try:
        with zipfile.ZipFile(source) as archive:
            return _check_entries(archive, max_bytes)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise PackageRefused(f"not a readable zip file: {error}") from error


def unpack(source: Path, folder: Path, *, digest: str | None = None, max_bytes: int = MAX_UNPACKED) -> Package:
    """Unpack a zip into `folder/<digest>` and answer it; what is there already is not unpacked again.

    Blocking: call it from a thread. With `digest` (SHA-256, hex) a zip of another content is refused.
    Safe to call at the same time from several processes.
    """
    if digest is not None and not _DIGEST.fullmatch(digest):
        raise PackageRefused(f"{digest!r} is not a SHA-256 in hexadecimal digits")
    if digest is not None and (known := folder / digest.lower()).is_dir():
        return Package(folder=known, digest=digest.lower())
    actual = _digest(source)
    if digest is not None and digest.lower() != actual:
        raise PackageRefused(f"the package's SHA-256 is {actual}, not {digest.lower()}")
    target = folder / actual
    if target.is_dir():
        return Package(folder=target, digest=actual)
    make_passable(folder)
    work = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder))
    try:
        with zipfile.ZipFile(source) as archive:
            _check_entries(archive, max_bytes)
            _extract(archive, work, max_bytes)
        _seal(work)
        _publish(work, target)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise PackageRefused(f"not a readable zip file: {error}") from error
    finally:
        _remove(work)
    return Package(folder=target, digest=actual)


def remove(package: Package) -> None:
    """Delete an unpacked package. Nothing happens when it is not there."""
    _remove(package.folder)


def _digest(source: Path) -> str:
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_entries(archive: zipfile.ZipFile, max_bytes: int) -> int:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise PackageRefused(f"the package has {len(entries)} entries; {MAX_ENTRIES} are allowed")
    total = 0
    for entry in entries:
        _path_of(entry)
        if entry.flag_bits & _ENCRYPTED:
            raise PackageRefused(f"{entry.filename!r} is encrypted")
        kind = stat.S_IFMT(_mode(entry))
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
            raise PackageRefused(f"{entry.filename!r} is neither a file, a folder nor a link")
        total += entry.file_size
    if total > max_bytes:
        raise PackageRefused(f"unpacked, the package has {total} bytes; {max_bytes} are allowed")
    return total


def _path_of(entry: zipfile.ZipInfo) -> PurePosixPath:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if (
        path.is_absolute()
        or ".." in path.parts
        or "\0" in entry.orig_filename
        or not path.parts
        or ":" in path.parts[0]
    ):
        raise PackageRefused(f"{entry.filename!r} would land outside the package's folder")
    return path


def _mode(entry: zipfile.ZipInfo) -> int:
    return entry.external_attr >> 16


def _extract(archive: zipfile.ZipFile, work: Path, max_bytes: int) -> None:
    left = max_bytes
    links: list[tuple[zipfile.ZipInfo, Path]] = []
    for entry in archive.infolist():
        target = work / _path_of(entry)
        if entry.is_dir() or stat.S_ISDIR(_mode(entry)):
            target.mkdir(parents=True, exist_ok=True)
        elif stat.S_ISLNK(_mode(entry)):
            links.append((entry, target))  # last, so that nothing is ever written through one
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            left -= _write(archive, entry, target, left)
    for entry, target in links:
        _link(archive, entry, target, work)


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int) -> int:
    written = 0
    with archive.open(entry) as source, target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > left:  # the sizes that a zip states need not be true
                raise PackageRefused(f"{entry.filename!r} unpacks to more than the package may have")
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), 0o555 if _mode(entry) & 0o111 else 0o444)
    return written


def _link(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, work: Path) -> None:
    if entry.file_size > MAX_LINK:
        raise PackageRefused(f"{entry.filename!r} is a link with an overlong target")
    to = archive.read(entry).decode("utf-8", "surrogateescape")
    inside = Path(os.path.realpath(target.parent / to)).is_relative_to(work.resolve())
    parent = Path(os.path.realpath(target.parent)).is_relative_to(work.resolve())
    if not to or "\0" in to or Path(to).is_absolute() or not inside or not parent:
        raise PackageRefused(f"{entry.filename!r} is a link that points out of the package's folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(to)


def _seal(work: Path) -> None:
    for folder, _, _ in os.walk(work, topdown=False):
        os.chmod(folder, 0o555)  # noqa: S103  # read and search, for the instances' own user
        _sync(Path(folder))


def _publish(work: Path, target: Path) -> None:
    os.chmod(work, 0o755)  # noqa: S103  # a folder without the right to write cannot be renamed by other users than root
    try:
        work.rename(target)
    except OSError:
        if not target.is_dir():  # somebody else was quicker
            raise
    else:
        os.chmod(target, 0o555)  # noqa: S103  # as above
    _sync(target.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    if not folder.is_dir():
        return
    for inner, _, _ in os.walk(folder):
        os.chmod(inner, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
