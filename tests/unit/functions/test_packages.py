"""Packages are unpacked whole and safely, or not at all."""

import contextlib
import io
import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.functions import PackageRefused, check, unpack
from hedgerow.functions.packages import remove


def zipped(*entries: tuple[str, bytes, int]) -> bytes:
    """Make a zip of (name, content, mode)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in entries:
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


def put(tmp_path: Path, *entries: tuple[str, bytes, int]) -> Path:
    source = tmp_path / "package.zip"
    source.write_bytes(zipped(*entries))
    return source


@pytest.mark.spec("JB-97")
def test_a_package_is_unpacked_read_only_with_its_executable_bits(tmp_path: Path) -> None:
    source = put(tmp_path, ("app.py", b"x = 1\n", 0o644), ("bin/run", b"#!/bin/sh\n", 0o755), ("plain", b"", 0))

    package = unpack(source, tmp_path / "code")

    modes = {
        name: stat.S_IMODE((package.folder / name).stat().st_mode) for name in ("app.py", "bin/run", "plain", "bin")
    }
    assert modes == {"app.py": 0o444, "bin/run": 0o555, "plain": 0o444, "bin": 0o555}
    assert (package.folder / "app.py").read_bytes() == b"x = 1\n"
    assert package.folder.name == package.digest
    remove(package)
    assert os.listdir(tmp_path / "code") == []


def test_the_same_package_is_unpacked_once(tmp_path: Path) -> None:
    source = put(tmp_path, ("app.py", b"x = 1\n", 0o644))

    first = unpack(source, tmp_path / "code")
    made = first.folder.stat().st_ino
    second = unpack(source, tmp_path / "code", digest=first.digest)

    assert second == first
    assert second.folder.stat().st_ino == made


def test_an_unpacked_package_is_found_by_its_digest_without_reading_the_zip(tmp_path: Path) -> None:
    source = put(tmp_path, ("app.py", b"x = 1\n", 0o644))
    first = unpack(source, tmp_path / "code")
    source.unlink()

    assert unpack(source, tmp_path / "code", digest=first.digest) == first


def test_a_package_of_another_digest_is_refused(tmp_path: Path) -> None:
    source = put(tmp_path, ("app.py", b"", 0o644))

    with pytest.raises(PackageRefused, match="SHA-256"):
        unpack(source, tmp_path / "code", digest="0" * 64)

    assert not (tmp_path / "code").exists()


def test_a_link_inside_the_package_is_kept(tmp_path: Path) -> None:
    source = put(tmp_path, ("lib/a.so.1", b"a", 0o644), ("lib/a.so", b"a.so.1", stat.S_IFLNK | 0o777))

    package = unpack(source, tmp_path / "code")

    assert (package.folder / "lib/a.so").read_bytes() == b"a"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([("../evil", b"x", 0o644)], "outside"),
        ([("a/../../evil", b"x", 0o644)], "outside"),
        ([("/etc/evil", b"x", 0o644)], "outside"),
        ([("..\\evil", b"x", 0o644)], "outside"),
        ([("C:/evil", b"x", 0o644)], "outside"),
        ([("link", b"/etc", stat.S_IFLNK | 0o777)], "points out"),
        ([("link", b"../..", stat.S_IFLNK | 0o777)], "points out"),
        ([("a", b".", stat.S_IFLNK | 0o777), ("a/../b", b"x", 0o644)], "outside"),
        ([("pipe", b"", stat.S_IFIFO | 0o644)], "neither"),
        ([("device", b"", stat.S_IFCHR | 0o644)], "neither"),
    ],
)
def test_what_would_leave_the_folder_is_refused_and_nothing_is_left(
    tmp_path: Path, entries: list[tuple[str, bytes, int]], message: str
) -> None:
    source = put(tmp_path, ("app.py", b"", 0o644), *entries)

    with pytest.raises(PackageRefused, match=message):
        unpack(source, tmp_path / "code")

    assert not (tmp_path / "code").exists() or os.listdir(tmp_path / "code") == []
    assert sorted(os.listdir(tmp_path)) in (["code", "package.zip"], ["package.zip"])


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    source = put(tmp_path, ("a", str(outside).encode(), stat.S_IFLNK | 0o777), ("a/evil", b"x", 0o644))

    with pytest.raises((PackageRefused, OSError)):
        unpack(source, tmp_path / "code")

    assert os.listdir(outside) == []


def test_more_than_the_bound_is_refused_by_what_the_entries_say(tmp_path: Path) -> None:
    source = put(tmp_path, ("big", b"\0" * 2000, 0o644))

    with pytest.raises(PackageRefused, match="2000 bytes; 1000 are allowed"):
        unpack(source, tmp_path / "code", max_bytes=1000)


def test_more_than_the_bound_is_refused_also_when_the_entries_lie(tmp_path: Path) -> None:
    data = zipped(("big", b"\0" * 2000, 0o644))
    lying = data.replace((2000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    source = tmp_path / "package.zip"
    source.write_bytes(lying)

    with pytest.raises(PackageRefused):
        unpack(source, tmp_path / "code", max_bytes=1000)

    assert os.listdir(tmp_path / "code") == []


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "package.zip").write_bytes(b"not a zip")

    with pytest.raises(PackageRefused, match="not a readable zip"):
        unpack(tmp_path / "package.zip", tmp_path / "code")
    with pytest.raises(PackageRefused):
        check(io.BytesIO(b""))


def test_a_look_answers_the_unpacked_size() -> None:
    assert check(io.BytesIO(zipped(("a", b"12345", 0o644), ("b", b"67", 0o644)))) == 7


@given(st.binary(max_size=200), st.integers(0, 200), st.binary(max_size=8))
def test_a_damaged_zip_is_refused_or_read_but_nothing_else(rest: bytes, at: int, piece: bytes) -> None:
    data = bytearray(zipped(("a.py", rest, 0o644)))
    data[at : at + len(piece)] = piece

    with contextlib.suppress(PackageRefused):
        check(io.BytesIO(bytes(data)))
