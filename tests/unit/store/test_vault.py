"""Secrets at rest: they open with the right key in the right place, and with nothing else."""

import base64
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.base.errors import Unusable
from hedgerow.base.files import RealFiles
from hedgerow.store import Vault, load_master_key, open_vault
from hedgerow.store.vault import key_file
from tests.support.files import RecordingDisk

KEY = bytes(range(32))
OTHER_KEY = bytes(32)
CLOUD = "00000000-0000-4000-8000-000000000001"
BASE64 = base64.b64encode(KEY).decode()


@given(plain=st.binary(max_size=200), context=st.text(max_size=20))
def test_what_was_sealed_opens_to_the_same(plain: bytes, context: str) -> None:
    vault = Vault(KEY)

    assert vault.open(vault.seal(plain, context=context), context=context) == plain


@given(place=st.integers(min_value=0), flip=st.integers(min_value=1, max_value=255))
def test_a_changed_byte_anywhere_is_noticed(place: int, flip: int) -> None:
    sealed = bytearray(Vault(KEY).seal(b"secret", context="ca"))
    sealed[place % len(sealed)] ^= flip

    with pytest.raises(Unusable):
        Vault(KEY).open(bytes(sealed), context="ca")


@given(length=st.integers(min_value=0, max_value=40))
def test_a_value_that_was_cut_short_is_noticed(length: int) -> None:
    sealed = Vault(KEY).seal(b"secret", context="ca")

    with pytest.raises(Unusable):
        Vault(KEY).open(sealed[: min(length, len(sealed) - 1)], context="ca")


def test_another_key_is_told_apart_from_damage() -> None:
    sealed = Vault(OTHER_KEY).seal(b"secret", context="ca/1")

    with pytest.raises(Unusable, match=r"not the master key that ca/1 was sealed with; put the right one into"):
        Vault(KEY).open(sealed, context="ca/1")


def test_a_value_cannot_be_moved_to_another_place() -> None:
    sealed = Vault(KEY).seal(b"secret", context="account/1")

    with pytest.raises(Unusable, match="account/2 is damaged"):
        Vault(KEY).open(sealed, context="account/2")


def test_the_same_value_is_sealed_differently_each_time_and_not_readable() -> None:
    first, second = (Vault(KEY).seal(b"secret words", context="ca") for _ in range(2))

    assert first != second
    assert b"secret" not in first
    assert "Vault(…)" in repr(Vault(KEY))


def test_the_key_comes_from_the_environment_first(tmp_path: Path) -> None:
    environment = {"HEDGEROW_MASTER_KEY": BASE64, "HEDGEROW_MASTER_KEY_COMMAND": "false"}

    assert load_master_key(CLOUD, environment, tmp_path, files=RealFiles()) == KEY
    assert list(tmp_path.iterdir()) == []


def test_the_key_may_come_from_a_command(tmp_path: Path) -> None:
    environment = {"HEDGEROW_MASTER_KEY_COMMAND": f"echo '{BASE64}'"}

    assert load_master_key(CLOUD, environment, tmp_path, files=RealFiles()) == KEY


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("HEDGEROW_MASTER_KEY", "no base64!", "HEDGEROW_MASTER_KEY is not base64"),
        ("HEDGEROW_MASTER_KEY", "AAAA", "HEDGEROW_MASTER_KEY has 3 bytes; a master key is 32 bytes in base64"),
        ("HEDGEROW_MASTER_KEY_COMMAND", "ls /no/such/thing", "HEDGEROW_MASTER_KEY_COMMAND failed with status 2: ls"),
        ("HEDGEROW_MASTER_KEY_COMMAND", "/no/such/thing", "HEDGEROW_MASTER_KEY_COMMAND cannot be run"),
        ("HEDGEROW_MASTER_KEY_COMMAND", "echo 'open", "HEDGEROW_MASTER_KEY_COMMAND cannot be run"),
        ("HEDGEROW_MASTER_KEY_COMMAND", "echo", "the output of HEDGEROW_MASTER_KEY_COMMAND has 0 bytes"),
    ],
)
def test_a_bad_source_is_refused_with_its_name(tmp_path: Path, variable: str, value: str, complaint: str) -> None:
    with pytest.raises(Unusable, match=complaint):
        load_master_key(CLOUD, {variable: value}, tmp_path, files=RealFiles())


def test_the_key_file_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    first = load_master_key(CLOUD, {}, tmp_path, files=RealFiles(), create=True)
    again = load_master_key(CLOUD, {}, tmp_path, files=RealFiles(), create=True)

    assert first == again
    assert len(first) == 32
    assert stat.S_IMODE(key_file(CLOUD, tmp_path).stat().st_mode) == 0o600


def test_a_missing_key_file_is_never_replaced_in_silence(tmp_path: Path) -> None:
    data, home = tmp_path / "data", tmp_path / "home"
    data.mkdir()
    sealed = open_vault(data, CLOUD, {}, home, files=RealFiles()).seal(b"secret", context="ca")
    kept = key_file(CLOUD, home).read_bytes()
    key_file(CLOUD, home).unlink()

    with pytest.raises(Unusable, match=r"master key of this cloud is missing: put it back as .*\.key"):
        open_vault(data, CLOUD, {}, home, files=RealFiles())

    RealFiles().write_durably(key_file(CLOUD, home), kept)
    assert open_vault(data, CLOUD, {}, home, files=RealFiles()).open(sealed, context="ca") == b"secret"


def test_a_wrong_key_is_refused_at_the_start(tmp_path: Path) -> None:
    data, home = tmp_path / "data", tmp_path / "home"
    data.mkdir()
    open_vault(data, CLOUD, {}, home, files=RealFiles())

    with pytest.raises(Unusable, match="not the master key that cloud"):
        open_vault(data, CLOUD, {"HEDGEROW_MASTER_KEY": BASE64}, home, files=RealFiles())


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_master_key(CLOUD, {}, tmp_path, files=RealFiles(), create=True)
    key_file(CLOUD, tmp_path).chmod(0o640)

    with pytest.raises(Unusable, match=r"others can read the master key .*; close it with: chmod 600"):
        load_master_key(CLOUD, {}, tmp_path, files=RealFiles())


def test_after_a_power_cut_what_was_sealed_and_acknowledged_still_opens(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    disk = RecordingDisk(root)
    files = RealFiles(disk)
    files.make_folder(root / "data")
    sealed = open_vault(root / "data", CLOUD, {}, root / "home", files=files).seal(b"secret", context="ca")
    disk.acknowledge("sealed")

    for number, cut in enumerate(disk.power_cuts()):
        after = cut.lay_out(tmp_path / f"cut-{number}")
        RealFiles().make_folder(after / "data")
        vault = open_vault(after / "data", CLOUD, {}, after / "home", files=RealFiles())
        if cut.acknowledged:
            assert vault.open(sealed, context="ca") == b"secret"
