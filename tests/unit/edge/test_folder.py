"""The edge's folder: layout, lock, where the configuration is found."""

import errno
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hedgerow.base.errors import Unavailable, Unusable
from hedgerow.edge.layout import Layout, unusable
from hedgerow.edge.settings import EdgeSettings, configuration_text
from hedgerow.edge.state import State, recall, remember


def test_a_second_process_on_one_folder_is_refused_with_the_first_ones_number(tmp_path: Path) -> None:
    layout = Layout(tmp_path)

    with layout.held(), pytest.raises(Unusable, match=r"another edge \(process \d+\) runs on"), layout.held():
        pass


def test_the_folder_is_free_again_afterwards(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with layout.held():
        pass

    with layout.held():
        assert (tmp_path / ".lock").exists()


def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(Unusable, match="cannot use the folder"):
        Layout(tmp_path / "file").create()


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, Unavailable), (errno.EROFS, Unavailable), (errno.EACCES, Unusable), (errno.ENOTDIR, Unusable)],
)
def test_what_may_pass_is_not_taken_for_a_mistake(number: int, kind: type[Exception]) -> None:
    assert type(unusable(Path("/gg"), OSError(number, "no"))) is kind


def test_a_state_for_which_there_is_no_room_may_be_opened_later(tmp_path: Path) -> None:
    limits = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))"
    opening = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from hedgerow.edge.state import State"
    code = f"{limits}; {opening}; State({str(tmp_path / 'state.db')!r})"

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "hedgerow.base.errors.Unavailable: cannot use" in ended.stderr
    State(tmp_path / "state.db").close()


@pytest.mark.parametrize("name", ["config.yaml", "config.yml", "config/config.yaml"])
@pytest.mark.spec("BS-39")
def test_both_forms_of_the_file_name_are_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / name).write_text("services: {}")

    text, found = configuration_text(EdgeSettings(root=tmp_path), Layout(tmp_path))

    assert (text, found) == ("services: {}", str(tmp_path / name))


def test_without_a_configuration_the_first_start_says_which_option_to_give(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="--init-config FILE"):
        configuration_text(EdgeSettings(root=tmp_path), Layout(tmp_path))


def test_what_was_remembered_is_there_after_a_restart_and_only_the_owner_may_read_it(tmp_path: Path) -> None:
    first = State(tmp_path / "state.db")
    first.now(lambda c: remember(c, "identity", {"thing_name": "T"}))
    first.close()

    second = State(tmp_path / "state.db")
    known = second.now(lambda c: recall(c, "identity"))
    second.close()

    assert known == {"thing_name": "T"}
    assert stat.S_IMODE((tmp_path / "state.db").stat().st_mode) == 0o600


def test_nothing_that_stands_beside_the_state_can_be_read_by_others(tmp_path: Path) -> None:
    state = State(tmp_path / "state.db")
    state.now(lambda c: remember(c, "a", 1))

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    state.close()

    assert len(modes) == 3
    assert set(modes.values()) == {0o600}


def test_a_step_that_fails_leaves_nothing(tmp_path: Path) -> None:
    state = State(tmp_path / "state.db")

    def step(connection: object) -> None:
        remember(connection, "a", 1)  # type: ignore[arg-type]  # a sqlite3.Connection
        raise ValueError("a fault")

    with pytest.raises(ValueError, match="a fault"):
        state.now(step)

    assert state.now(lambda c: recall(c, "a")) is None
    state.close()


def test_a_state_of_a_newer_edge_is_refused_and_left_alone(tmp_path: Path) -> None:
    state = State(tmp_path / "state.db")
    state.now(lambda c: c.execute("PRAGMA user_version = 99").fetchall())
    state.close()

    with pytest.raises(Unusable, match="written by a newer edge"):
        State(tmp_path / "state.db")


def test_a_file_that_is_no_state_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database, but long enough to be looked at" * 20)

    with pytest.raises(Unusable, match="cannot use"):
        State(tmp_path / "state.db")
