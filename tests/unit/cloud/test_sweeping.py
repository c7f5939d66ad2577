"""The sweep of files: it asks everyone whose rows name some, and keeps those."""

from pathlib import Path

from hedgerow.base.files import RealFiles
from hedgerow.cloud.compute import NAMING
from hedgerow.cloud.sweeping import Sweeper
from hedgerow.cloud.unpacked import Unpacked
from hedgerow.services.s3.objects import ObjectStore
from hedgerow.services.s3.objects.model import Object
from hedgerow.store import Answer, Blobs, Tx, metadata
from hedgerow.store.blobs import UNREFERENCED_S
from tests.support.clock import FakeClock, FakeIds
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryRun, MemoryStore

NO_BLOBS = {"hedgerow_sign_in"}  # tables whose `digest` is of something else


async def test_what_an_object_names_stays_and_the_rest_goes(tmp_path: Path) -> None:
    store, clock = MemoryStore(), FakeClock()
    blobs = Blobs(tmp_path, RealFiles(), clock, FakeIds())
    kept, deleted = [await blobs.put(CALLER.account, content) for content in (b"kept", b"deleted")]

    def name(tx: Tx) -> Answer:
        ObjectStore().put(
            tx,
            Object(account=CALLER.account, bucket="b", key="k", digest=kept.digest, size=4, etag="e", modified_at=0.0),
        )
        return Answer()

    await MemoryRun(store).write(name)
    clock.advance(UNREFERENCED_S + 1)
    sweeper = Sweeper(keepers=[blobs], run=MemoryRun(store), subjects=NAMING)

    await sweeper.sweep()
    await sweeper.sweep()

    assert blobs.path(CALLER.account, kept.digest).exists()
    assert not blobs.path(CALLER.account, deleted.digest).exists()


class Named:
    """Names what a test says."""

    def __init__(self, *digests: str) -> None:
        self.named = set(digests)

    def digests(self, tx: Tx, account: str) -> set[str]:
        return self.named if account == CALLER.account else set()


def unpacked(home: Path, account: str, *names: str) -> None:
    for name in names:
        folder = home / account / name
        folder.mkdir(parents=True)
        (folder / "app.py").write_text("x")
        folder.chmod(0o555)  # as packages are


async def test_the_code_of_a_deleted_function_goes_at_the_second_sweep(tmp_path: Path) -> None:
    unpacked(tmp_path, CALLER.account, "kept", "deleted", "made-again", ".unpacking-x")
    unpacked(tmp_path, OTHER_ACCOUNT.account, "kept")
    unpacked(tmp_path, "elsewhere", "kept")
    names = Named("kept")
    sweeper = Sweeper(keepers=[Unpacked(tmp_path)], run=MemoryRun(MemoryStore()), subjects=[names])

    await sweeper.sweep()
    first = sorted(found.relative_to(tmp_path).as_posix() for found in tmp_path.glob("*/*"))
    names.named.add("made-again")
    await sweeper.sweep()
    second = sorted(found.relative_to(tmp_path).as_posix() for found in tmp_path.glob("*/*"))

    assert len(first) == 6
    assert second == [f"{CALLER.account}/kept", f"{CALLER.account}/made-again", "elsewhere/kept"]


def test_every_table_that_names_blobs_is_asked() -> None:
    naming = {table.name for table in metadata.tables.values() if "digest" in table.columns} - NO_BLOBS

    asked = {"s3_object", "s3_part", "lambda_version", "iot_registration_task"}
    assert (naming, len(NAMING)) == (asked, len(asked))
