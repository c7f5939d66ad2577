"""Blobs: large values in files, named by their SHA-256, in a folder per account (`<root>/<account>/<ab>/<digest>`).

A blob is on the medium, under its name, when `put` returns; the row that names it is committed after that. So a crash
leaves at most a blob without a row, which `sweep` removes. The same content is stored once in each account. Which rows
name which blob is left to the subjects. All methods are async and work in threads; none may be called in a transaction.
"""

import asyncio
import contextlib
import hashlib
import os
import re
import threading
from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hedgerow.base.clock import Clock
from hedgerow.base.errors import Unavailable
from hedgerow.base.files import TEMPORARY, Files
from hedgerow.base.ids import Ids
from hedgerow.store.guard import forbid_in_transaction

CHUNK: Final = 256 * 1024
CHUNK_DEADLINE_S: Final = 60.0
"""A sender that leaves this long between two chunks is given up."""
UNREFERENCED_S: Final = 3600.0
"""A blob this young may belong to a row that is about to be committed."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_ACCOUNT: Final = re.compile(r"[0-9]{12}")


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored value: its SHA-256 in hexadecimal digits, and its size in bytes."""

    digest: str
    size: int


class BlobMissing(Unavailable):
    """A row names a blob that is not there: a promise of the store is broken, or the folder was damaged."""


class Blobs:
    """Blobs in a folder."""

    def __init__(self, root: Path, files: Files, clock: Clock, ids: Ids) -> None:
        self._root = root
        self._files = files
        self._clock = clock
        self._ids = ids
        self._unnamed: dict[str, frozenset[str]] = {}  # by account, what the last sweep found named by nobody
        self._sweeping = threading.Lock()  # between looking at a blob's age and removing it, nobody puts it again

    async def put(self, account: str, data: bytes | AsyncIterable[bytes]) -> Blob:
        """Store the bytes, durably, and answer what names them; storing the same again is cheap.

        Raises Unavailable when the disk fails or the sender stops. How large it may be is the caller's to limit.
        """
        forbid_in_transaction("Blobs.put")
        if isinstance(data, bytes):
            return await asyncio.to_thread(self._put, account, iter((data,)))
        loop = asyncio.get_running_loop()
        chunks = aiter(data)

        def pulled() -> Iterator[bytes]:
            while True:
                coming = asyncio.run_coroutine_threadsafe(_next(chunks), loop)
                try:
                    chunk = coming.result(CHUNK_DEADLINE_S)
                except TimeoutError as error:
                    coming.cancel()
                    raise Unavailable("the sender stopped in the middle of a blob") from error
                if chunk is None:
                    return
                yield chunk

        return await asyncio.to_thread(self._put, account, pulled())

    async def read(self, account: str, digest: str, start: int = 0, end: int | None = None) -> bytes:
        """Answer the bytes from `start` up to, not including, `end`. Raises BlobMissing."""
        forbid_in_transaction("Blobs.read")
        return await asyncio.to_thread(self._read, self.path(account, digest), start, end)

    async def stream(self, account: str, digest: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Answer the same bytes in chunks, for what should not be in memory as a whole."""
        while end is None or start < end:
            until = start + CHUNK if end is None else min(start + CHUNK, end)
            chunk = await self.read(account, digest, start, until)
            if not chunk:
                return
            start += len(chunk)
            yield chunk

    async def delete(self, account: str, digest: str) -> None:
        """Remove the blob; nothing happens when there is none. Call it when no row names it any more."""
        forbid_in_transaction("Blobs.delete")
        await asyncio.to_thread(self._files.remove, self.path(account, digest))

    async def sweep(self, account: str, named: Collection[str]) -> int:
        """Remove the account's blobs that are old and that no row names, now nor at the last sweep; answer how many.

        Twice, because a flow may have read a row that is gone now, and be about to commit another that names its blob:
        sweeps are much further apart than a flow may last.
        """
        forbid_in_transaction("Blobs.sweep")
        return await asyncio.to_thread(self._sweep, account, frozenset(named))

    def accounts(self) -> list[str]:
        """Answer the accounts that have a folder of blobs. Blocks."""
        return sorted(found.name for found in self._root.glob("*") if _ACCOUNT.fullmatch(found.name))

    def path(self, account: str, digest: str) -> Path:
        """Answer where the blob is, for handing it to a process that reads it itself."""
        if not _ACCOUNT.fullmatch(account) or not _DIGEST.fullmatch(digest):
            raise ValueError("not an account and a digest")  # never part of a path unchecked
        return self._root / account / digest[:2] / digest

    def remove_unfinished(self) -> None:
        """Remove what a crash left half written. Blocks; called at start."""
        if self._root.is_dir():
            for account in sorted(self._root.iterdir()):
                self._files.remove_unfinished(account)

    def _put(self, account: str, chunks: Iterator[bytes]) -> Blob:
        if not _ACCOUNT.fullmatch(account):
            raise ValueError("not an account")
        home = self._root / account
        self._files.make_folder(home)
        unfinished = home / f"{self._ids.uuid()}{TEMPORARY}"
        digest = hashlib.sha256()
        size = 0

        def hashed() -> Iterator[bytes]:
            nonlocal size
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        self._files.write_new(unfinished, hashed())
        blob = Blob(digest.hexdigest(), size)
        path = self.path(account, blob.digest)
        self._files.make_folder(path.parent)
        with self._sweeping:
            # Even when it is there: the one before may not be synced yet, and its age starts again.
            now = self._clock.now()
            os.utime(unfinished, (now, now))
            self._files.rename(unfinished, path)
        return blob

    def _read(self, path: Path, start: int, end: int | None) -> bytes:
        try:
            with path.open("rb") as file:
                file.seek(start)
                return file.read(-1 if end is None else max(0, end - start))
        except FileNotFoundError as error:
            raise BlobMissing(f"the blob {path.name} is missing") from error
        except OSError as error:
            raise Unavailable(f"cannot read the blob {path.name}: {error.strerror}") from error

    def _sweep(self, account: str, named: frozenset[str]) -> int:
        removed = 0
        before = self._clock.now() - UNREFERENCED_S
        unnamed = {path.name: path for path in (self._root / account).glob("??/*") if path.name not in named}
        for name in sorted(unnamed.keys() & self._unnamed.get(account, frozenset())):
            path = unnamed[name]
            with self._sweeping, contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime <= before:
                    self._files.remove(path)
                    removed += 1
        self._unnamed[account] = frozenset(unnamed)
        return removed


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)
