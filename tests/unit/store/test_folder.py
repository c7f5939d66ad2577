"""The data folder: made once, used by one process, refused in one line and left as it was."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hedgerow.base.errors import Unusable
from hedgerow.base.files import RealDisk, RealFiles
from hedgerow.store import Folder, Identity, open_folder
from tests.support.clock import FakeIds
from tests.support.files import RecordingDisk

ACCOUNT = "123456789012"


def opened(path: Path, **wishes: Any) -> Folder:
    return open_folder(path, files=RealFiles(), ids=FakeIds(), **wishes)


def content(path: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in path.iterdir()}


def test_a_new_folder_is_closed_to_others_and_keeps_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a" / "data"
    with opened(path, region="eu-central-1", account=ACCOUNT) as folder:
        first = folder.identity
        assert folder.is_new
    with opened(path) as folder:
        again = folder.identity
        assert not folder.is_new

    assert first == again == Identity(format=1, cloud_id=first.cloud_id, region="eu-central-1", account=ACCOUNT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((path / "cloud.json").stat().st_mode) == 0o600


def test_an_account_of_twelve_digits_is_made_when_none_is_wished_for(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as folder:
        assert folder.identity.account.isdigit()
        assert len(folder.identity.account) == 12


def test_a_second_process_on_the_same_folder_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from hedgerow.store import open_folder; from hedgerow.base.files import RealFiles; "
        "from hedgerow.base.ids import RandomIds; "
        "open_folder(pathlib.Path(sys.argv[1]), files=RealFiles(), ids=RandomIds()); print(flush=True); input()"
    )
    path = tmp_path / "data"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        first.stdout.readline()
        try:
            with pytest.raises(Unusable, match=rf"another cloud \(pid {first.pid}\) uses the data folder .*; stop it"):
                opened(path)
        finally:
            first.kill()
            first.wait(10)

    with opened(path) as folder:  # the lock of a killed process is no lock
        assert not folder.is_new


def test_a_folder_in_use_is_refused_and_free_again_when_closed(tmp_path: Path) -> None:
    with opened(tmp_path / "data"), pytest.raises(Unusable, match=f"pid {os.getpid()}"):
        opened(tmp_path / "data")

    opened(tmp_path / "data").close()


def test_a_folder_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    opened(tmp_path / "data").close()
    name = tmp_path / "data" / "cloud.json"
    name.write_text(json.dumps({**json.loads(name.read_text()), "format": 2, "new": 1}))
    before = content(tmp_path / "data")

    with pytest.raises(Unusable, match=r"was made by a newer Hedgerow \(format 2, this one knows 1\)"):
        opened(tmp_path / "data")

    assert content(tmp_path / "data") == before


@pytest.mark.parametrize(("what", "wish"), [("region", "us-west-2"), ("account", "210987654321")])
def test_another_region_or_account_is_refused(tmp_path: Path, what: str, wish: str) -> None:
    opened(tmp_path / "data", region="eu-central-1", account=ACCOUNT).close()

    with pytest.raises(Unusable, match=f"has the {what} .*, not {wish}"):
        opened(tmp_path / "data", **{what: wish})

    opened(tmp_path / "data").close()


def test_a_folder_with_other_files_is_refused_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    tmp_path.chmod(0o755)

    with pytest.raises(Unusable, match=r"holds other files \(holiday.jpg\) and is no data folder"):
        opened(tmp_path)

    assert content(tmp_path) == {"holiday.jpg": b""}
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")

    with pytest.raises(Unusable, match="is a file; choose a folder with --data"):
        opened(tmp_path / "data")


def test_a_folder_that_others_can_read_is_refused(tmp_path: Path) -> None:
    opened(tmp_path / "data").close()
    (tmp_path / "data").chmod(0o750)

    with pytest.raises(Unusable, match="close it with: chmod 700"):
        opened(tmp_path / "data")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "1"}', '{"format": 1}'])
def test_a_damaged_identity_is_refused(tmp_path: Path, text: str) -> None:
    opened(tmp_path / "data").close()
    (tmp_path / "data" / "cloud.json").write_text(text)

    with pytest.raises(Unusable, match=r"cloud\.json is damaged"):
        opened(tmp_path / "data")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    class ReadOnly(RealDisk):
        def create(self, path: Path, mode: int) -> int:
            raise OSError(30, "Read-only file system")

        def mkdir(self, path: Path, mode: int) -> None:
            raise OSError(30, "Read-only file system")

    with pytest.raises(Unusable, match=r"cannot write to the data folder .*Read-only file system; choose another"):
        open_folder(tmp_path / "data", files=RealFiles(ReadOnly()), ids=FakeIds())
    (tmp_path / "data").mkdir()
    with pytest.raises(Unusable, match=r"cannot write to the data folder .*Read-only file system; choose another"):
        open_folder(tmp_path / "data", files=RealFiles(ReadOnly()), ids=FakeIds())
    opened(tmp_path / "data").close()  # and the lock was given back


def test_after_a_power_cut_during_the_first_start_the_next_one_succeeds(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    disk = RecordingDisk(root)
    with open_folder(root / "data", files=RealFiles(disk), ids=FakeIds()) as folder:
        disk.acknowledge(folder.identity.cloud_id)

    for number, cut in enumerate(disk.power_cuts()):
        after = cut.lay_out(tmp_path / f"cut-{number}")
        with opened(after / "data") as folder:
            assert cut.acknowledged in [(), (folder.identity.cloud_id,)]
            assert folder.is_new == ("data/cloud.json" not in cut.tree)
