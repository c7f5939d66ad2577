"""Blobs: whole or not at all, per account, and gone only when nothing names them."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hedgerow.base.errors import Unavailable
from hedgerow.base.files import TEMPORARY, RealFiles
from hedgerow.store import Blob, BlobMissing, Blobs
from hedgerow.store.blobs import CHUNK, UNREFERENCED_S
from hedgerow.store.guard import transaction
from tests.support.clock import FakeClock, FakeIds
from tests.support.files import RecordingDisk
from tests.unit.store.tables import ACCOUNT

OTHER = "210987654321"
MISSING = "0" * 64


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def blobs(tmp_path: Path, clock: FakeClock) -> Blobs:
    return Blobs(tmp_path / "blobs", RealFiles(), clock, FakeIds())


async def test_what_was_put_is_read_under_its_digest(blobs: Blobs) -> None:
    blob = await blobs.put(ACCOUNT, b"hello")

    assert blob == Blob(hashlib.sha256(b"hello").hexdigest(), 5)
    assert await blobs.read(ACCOUNT, blob.digest) == b"hello"
    assert blobs.path(ACCOUNT, blob.digest).read_bytes() == b"hello"


async def test_a_part_is_read_from_its_start_up_to_its_end(blobs: Blobs) -> None:
    blob = await blobs.put(ACCOUNT, b"0123456789")

    assert await blobs.read(ACCOUNT, blob.digest, 2, 5) == b"234"
    assert await blobs.read(ACCOUNT, blob.digest, 8) == b"89"
    assert await blobs.read(ACCOUNT, blob.digest, 5, 5) == b""


async def test_chunks_make_the_same_blob_as_the_whole(blobs: Blobs) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for part in (b"he", b"", b"llo"):
            await asyncio.sleep(0)
            yield part

    assert await blobs.put(ACCOUNT, chunks()) == await blobs.put(ACCOUNT, b"hello")


async def test_a_sender_that_fails_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"he"
        raise ConnectionResetError("the caller is gone")

    with pytest.raises((ConnectionResetError, Unavailable)):
        await blobs.put(ACCOUNT, chunks())

    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


async def test_a_long_blob_is_streamed_in_chunks(blobs: Blobs) -> None:
    content = os.urandom(2 * CHUNK + 7)
    blob = await blobs.put(ACCOUNT, content)

    chunks = [chunk async for chunk in blobs.stream(ACCOUNT, blob.digest)]
    part = [chunk async for chunk in blobs.stream(ACCOUNT, blob.digest, 3, CHUNK + 5)]

    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, 7]
    assert b"".join(chunks) == content
    assert b"".join(part) == content[3 : CHUNK + 5]


async def test_two_accounts_do_not_meet(blobs: Blobs) -> None:
    blob = await blobs.put(ACCOUNT, b"hello")

    with pytest.raises(BlobMissing):
        await blobs.read(OTHER, blob.digest)


async def test_a_deleted_blob_is_missing_and_deleting_twice_is_fine(blobs: Blobs) -> None:
    blob = await blobs.put(ACCOUNT, b"hello")

    await blobs.delete(ACCOUNT, blob.digest)
    await blobs.delete(ACCOUNT, blob.digest)

    with pytest.raises(BlobMissing):
        await blobs.read(ACCOUNT, blob.digest)


async def test_the_sweep_removes_what_is_old_and_was_not_named_at_the_last_sweep_either(
    blobs: Blobs, clock: FakeClock
) -> None:
    named, unnamed, again = [await blobs.put(ACCOUNT, content) for content in (b"named", b"unnamed", b"again")]
    once = await blobs.put(ACCOUNT, b"named at the first sweep only")
    clock.advance(UNREFERENCED_S)
    await blobs.put(ACCOUNT, b"again")
    young = await blobs.put(ACCOUNT, b"young")

    first = await blobs.sweep(ACCOUNT, {named.digest, once.digest})
    removed = await blobs.sweep(ACCOUNT, {named.digest})

    assert first == 0
    assert blobs.path(ACCOUNT, once.digest).exists()
    left = [blob for blob in (named, unnamed, again, young) if blobs.path(ACCOUNT, blob.digest).exists()]
    assert (removed, left) == (1, [named, again, young])


@pytest.mark.parametrize(("account", "digest"), [("..", MISSING), (ACCOUNT, "../../secret"), (ACCOUNT, "A" * 64)])
def test_nothing_but_an_account_and_a_digest_becomes_part_of_a_path(blobs: Blobs, account: str, digest: str) -> None:
    with pytest.raises(ValueError, match="not an account"):
        blobs.path(account, digest)


async def test_no_blob_is_touched_while_a_transaction_is_open(blobs: Blobs) -> None:
    with transaction(), pytest.raises(RuntimeError, match=r"Blobs\.put was called while a transaction is open"):
        await blobs.put(ACCOUNT, b"hello")


async def test_a_power_cut_leaves_a_blob_whole_or_not_at_all(tmp_path: Path) -> None:
    root = tmp_path / "blobs"
    root.mkdir()
    disk = RecordingDisk(root)
    writing = Blobs(root, RealFiles(disk), FakeClock(), FakeIds())
    for content in (b"first content", b"second content", b"first content"):
        disk.acknowledge((await writing.put(ACCOUNT, content)).digest)

    cuts = list(disk.power_cuts())
    for number, cut in enumerate(cuts):
        after = cut.lay_out(tmp_path / f"cut-{number}")
        recovered = Blobs(after, RealFiles(), FakeClock(), FakeIds())
        recovered.remove_unfinished()
        files = [path for path in after.rglob("*") if path.is_file()]
        assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in files)
        assert set(cut.acknowledged) <= {path.name for path in files}
    assert len(cuts) >= 20
    assert any(name.endswith(TEMPORARY) for cut in cuts for name in cut.tree)
