"""Durable writes, against every state that a power cut may leave."""

import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedgerow.base.errors import Unavailable
from hedgerow.base.files import TEMPORARY, RealDisk, RealFiles
from tests.support.files import RecordingDisk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


def test_a_power_cut_leaves_the_old_file_or_the_new_never_a_mixture(root: Path) -> None:
    disk = RecordingDisk(root)
    files = RealFiles(disk)

    files.write_durably(root / "a", b"the old one")
    disk.acknowledge("old")
    files.write_durably(root / "a", b"the new one, which is longer")
    disk.acknowledge("new")

    allowed = {
        (): {None, b"the old one"},
        ("old",): {b"the old one", b"the new one, which is longer"},
        ("old", "new"): {b"the new one, which is longer"},
    }
    seen: dict[tuple[str, ...], set[bytes | None]] = {}
    for cut in disk.power_cuts():
        seen.setdefault(cut.acknowledged, set()).add(cut.tree.get("a"))
    assert seen == allowed


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(changes=st.lists(st.tuples(st.sampled_from("ab"), st.binary(max_size=8)), min_size=1, max_size=5))
def test_after_any_writes_what_was_acknowledged_is_there(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, bytes]]
) -> None:
    root = tmp_path_factory.mktemp("root")
    disk = RecordingDisk(root)
    files = RealFiles(disk)
    for number, (name, content) in enumerate(changes):
        files.write_durably(root / name, content)
        disk.acknowledge(str(number))

    for cut in disk.power_cuts():
        done = len(cut.acknowledged)
        for name in "ab":
            before = [content for each, content in changes[:done] if each == name]
            coming = [content for each, content in changes[done : done + 1] if each == name]
            assert cut.tree.get(name) in [before[-1] if before else None, *coming]


def test_a_writer_that_does_not_sync_is_found_out(root: Path) -> None:
    class Careless(RecordingDisk):
        def sync(self, handle: int) -> None:
            pass

    disk = Careless(root)
    RealFiles(disk).write_durably(root / "a", b"content")
    disk.acknowledge("a")

    assert {cut.tree.get("a") for cut in disk.power_cuts() if cut.acknowledged} == {b"", b"con", b"content"}


def test_a_writer_that_does_not_sync_the_folder_is_found_out(root: Path) -> None:
    class Careless(RecordingDisk):
        def sync_folder(self, path: Path) -> None:
            pass

    disk = Careless(root)
    RealFiles(disk).write_durably(root / "a", b"content")
    disk.acknowledge("a")

    assert None in {cut.tree.get("a") for cut in disk.power_cuts() if cut.acknowledged}


def test_a_new_folder_and_a_file_moved_into_it_survive_together(root: Path) -> None:
    disk = RecordingDisk(root)
    files = RealFiles(disk)

    files.make_folder(root / "x" / "y")
    files.write_new(root / f"new{TEMPORARY}", [b"one ", b"two"])
    files.rename(root / f"new{TEMPORARY}", root / "x" / "y" / "file")
    disk.acknowledge("moved")

    last = [cut.tree for cut in disk.power_cuts() if cut.acknowledged]
    assert last == [{"x": None, "x/y": None, "x/y/file": b"one two"}]


def test_what_was_removed_stays_removed(root: Path) -> None:
    disk = RecordingDisk(root)
    files = RealFiles(disk)
    files.write_durably(root / "a", b"content")

    files.remove(root / "a")
    files.remove(root / "a")
    disk.acknowledge("removed")

    assert [cut.tree for cut in disk.power_cuts() if cut.acknowledged] == [{}]


def test_a_folder_is_removed_with_everything_in_it(root: Path) -> None:
    files = RealFiles()
    files.make_folder(root / "x" / "y")
    files.write_durably(root / "x" / "y" / "file", b"")
    (root / "x" / "link").symlink_to(root)

    files.remove_folder(root / "x")
    files.remove_folder(root / "x")

    assert list(root.iterdir()) == []


def test_unfinished_files_are_cleared_away_and_others_left(root: Path) -> None:
    (root / f".a.1234{TEMPORARY}").write_bytes(b"half")
    (root / "a").write_bytes(b"whole")

    RealFiles().remove_unfinished(root)

    assert [path.name for path in root.iterdir()] == ["a"]


def test_the_mode_is_what_was_asked_for_whatever_the_umask(root: Path) -> None:
    RealFiles().write_durably(root / "key", b"", mode=0o600)
    RealFiles().write_durably(root / "page", b"", mode=0o666)

    assert [stat.S_IMODE((root / name).stat().st_mode) for name in ("key", "page")] == [0o600, 0o666]


def test_a_full_disk_is_unavailable_and_leaves_the_old_file(root: Path) -> None:
    class Full(RealDisk):
        def write(self, handle: int, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    RealFiles().write_durably(root / "a", b"old")

    with pytest.raises(Unavailable, match=r"cannot write .*/a: No space left on device"):
        RealFiles(Full()).write_durably(root / "a", b"new")

    assert {path.name: path.read_bytes() for path in root.iterdir()} == {"a": b"old"}
