"""The data folder of one cloud: who it is (`cloud.json`), and that only one process uses it (`lock`).

```
DIR/               mode 700
├── cloud.json     format, cloud id, region, account; written once
├── lock           held with flock while a process uses the folder; holds its pid
├── hedgerow.db …  the databases
├── blobs/         see `blobs`
└── vault.check    see `vault`
```
Everything that is wrong with it is Unusable, in one line that says what to do, and leaves it as it was.
"""

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from hedgerow.base.errors import Unavailable, Unusable
from hedgerow.base.files import Files
from hedgerow.base.ids import Ids

FORMAT: Final = 1
"""The version of the folder's layout. A folder with a higher one belongs to a newer Hedgerow."""
DEFAULT_REGION: Final = "us-east-1"
_NAME: Final = "cloud.json"
_LOCK: Final = "lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What was settled when the folder was made, for good."""

    format: int
    cloud_id: str
    region: str
    account: str


class Folder:
    """A data folder that is locked by this process. A context manager: leaving it gives the lock back."""

    def __init__(self, path: Path, identity: Identity, lock: int, *, is_new: bool) -> None:
        self.path = path
        self.identity = identity
        self.is_new = is_new
        self._lock: int | None = lock

    @property
    def database(self) -> Path:
        """Where the main database is."""
        return self.path / "hedgerow.db"

    @property
    def telemetry(self) -> Path:
        """Where the database of the metrics is."""
        return self.path / "telemetry.db"

    @property
    def journal(self) -> Path:
        """Where the gateway's journal is."""
        return self.path / "journal.db"

    @property
    def blobs(self) -> Path:
        """Where the blobs are."""
        return self.path / "blobs"

    def close(self) -> None:
        """Give the lock back. A second call does nothing."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_folder(path: Path, *, files: Files, ids: Ids, region: str | None = None, account: str | None = None) -> Folder:
    """Create the folder or open and lock it. `region` and `account` are wishes for a new one, checked for an old one.

    Raises Unusable when it is not a data folder, belongs to a newer version or another region or account, is in use,
    or cannot be written.
    """
    path = path.absolute()
    _check_owner(path)
    read_identity(path)  # a folder of a newer version is refused before anything is touched
    try:
        files.make_folder(path)
        lock = _locked(path)
    except (OSError, Unavailable) as error:
        raise Unusable(f"cannot write to the data folder {path}: {error}; choose another with --data") from error
    try:
        files.remove_unfinished(path)
        identity = read_identity(path)
        is_new = identity is None
        if identity is None:
            identity = _created(path, files, ids, region, account)
        _check_wishes(path, identity, region, account)
    except Unavailable as error:
        os.close(lock)
        raise Unusable(f"cannot write to the data folder {path}: {error}; choose another with --data") from error
    except BaseException:
        os.close(lock)
        raise
    return Folder(path, identity, lock, is_new=is_new)


def read_identity(path: Path) -> Identity | None:
    """Answer whose folder this is, without a lock; None when it is empty or not there. Raises Unusable as above."""
    try:
        text = (path / _NAME).read_text("utf-8")
    except FileNotFoundError:
        _check_empty(path)
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"cannot read {path / _NAME}: {error}") from error
    try:
        content: dict[str, Any] = json.loads(text)
        if content["format"] > FORMAT:
            raise Unusable(
                f"the data folder {path} was made by a newer Hedgerow (format {content['format']}, this one knows "
                f"{FORMAT}); start that version again, or choose another folder with --data"
            )
        return Identity(**content)
    except (ValueError, TypeError, KeyError) as error:
        raise Unusable(f"{path / _NAME} is damaged; restore it from a backup") from error


def _created(path: Path, files: Files, ids: Ids, region: str | None, account: str | None) -> Identity:
    identity = Identity(
        format=FORMAT,
        cloud_id=ids.uuid(),
        region=region or DEFAULT_REGION,
        account=account or f"{int(ids.hex(16), 16) % 900_000_000_000 + 100_000_000_000}",
    )
    files.write_durably(path / _NAME, json.dumps(asdict(identity), indent=2).encode() + b"\n")
    return identity


def _check_owner(path: Path) -> None:
    try:
        state = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unusable(f"cannot use {path} as the data folder: {error.strerror}") from error
    if not path.is_dir():
        raise Unusable(f"{path} is a file; choose a folder with --data")
    if state.st_mode & 0o077 and (path / _NAME).exists():
        raise Unusable(f"others can read the data folder {path}; close it with: chmod 700 {path}")


def _check_empty(path: Path) -> None:
    try:
        strange = next((entry for entry in sorted(path.iterdir()) if not _ours_before_the_name(entry.name)), None)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unusable(f"cannot use {path} as the data folder: {error.strerror or error}") from error
    if strange is not None:
        raise Unusable(
            f"{path} holds other files ({strange.name}) and is no data folder; choose an empty one with --data"
        )


def _ours_before_the_name(name: str) -> bool:
    """A first start that was cut off leaves the lock or an unfinished file; settings may be there before it."""
    return name in (_LOCK, "hedgerow.toml") or name.startswith(".")


def _check_wishes(path: Path, identity: Identity, region: str | None, account: str | None) -> None:
    for what, wish, fact in (("region", region, identity.region), ("account", account, identity.account)):
        if wish is not None and wish != fact:
            raise Unusable(
                f"the cloud in {path} has the {what} {fact}, not {wish}; leave --{what} out or choose another --data"
            )


def _locked(path: Path) -> int:
    path.chmod(0o700)
    handle = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(handle)
        raise Unusable(
            f"another cloud (pid {holder}) uses the data folder {path}; stop it first, or choose another with --data"
        ) from error
    except OSError:
        with contextlib.suppress(OSError):
            os.close(handle)
        raise
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle
