from pathlib import Path

import pytest

from hedgerow.edge.jobs.handlers import NoHandler, find


def executable(path: Path, mode: int = 0o700) -> Path:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def test_an_executable_of_the_folder_is_found(tmp_path: Path) -> None:
    path = executable(tmp_path / "jobs" / "hello")

    assert find(tmp_path / "jobs", "hello") == path


@pytest.mark.parametrize("name", ["", ".", "..", "../hello", "a/b", "/bin/sh"])
def test_a_name_with_a_folder_in_it_is_refused(tmp_path: Path, name: str) -> None:
    executable(tmp_path / "hello")

    with pytest.raises(NoHandler, match="is not the name of a handler"):
        find(tmp_path / "jobs", name)


@pytest.mark.parametrize(
    ("mode", "words"), [(0o720, "others can write the handler"), (0o702, "others can write"), (0o600, "chmod 700")]
)
def test_a_handler_that_others_can_write_or_nobody_can_run_is_refused(tmp_path: Path, mode: int, words: str) -> None:
    executable(tmp_path / "jobs" / "hello", mode)

    with pytest.raises(NoHandler, match=words):
        find(tmp_path / "jobs", "hello")


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    executable(tmp_path / "jobs" / "hello")
    (tmp_path / "jobs").chmod(0o777)

    with pytest.raises(NoHandler, match="others can write the folder"):
        find(tmp_path / "jobs", "hello")


def test_what_is_not_there_and_what_is_no_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "jobs" / "inner").mkdir(parents=True)

    with pytest.raises(NoHandler, match="there is no handler hello in"):
        find(tmp_path / "jobs", "hello")
    with pytest.raises(NoHandler, match="is not a file"):
        find(tmp_path / "jobs", "inner")
