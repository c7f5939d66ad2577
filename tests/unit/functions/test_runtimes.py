"""Which runtimes a host has is found by asking, and what it has not is refused with what it has."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from hedgerow.functions import InvalidEntrypoint, RuntimeNotHere, Runtimes
from tests.support.functions import spec

OWN = f"python3.{sys.version_info.minor}"


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def host(tmp_path: Path) -> Runtimes:
    """A host whose PATH has a working interpreter, a shim for a missing one, and Node."""
    path = tmp_path / "bin"
    path.mkdir()
    program(path, "python3.9", "printf '/opt/python3.9\\npython3.9\\n'")
    program(path, "python3.10", "echo 'python3.10: command not found' >&2; exit 127")
    program(path, "node", "echo v18.1.0")
    return Runtimes(tmp_path / "runtimes", path=str(path))


def test_only_what_answers_is_there(host: Runtimes) -> None:
    found = host.available()

    assert found["python3.9"] == "/opt/python3.9"
    assert OWN in found
    assert "python3.10" not in found
    assert "nodejs18.x" in found


@pytest.mark.parametrize("runtime", ["nodejs20.x", "java21", "python2.7", "go1.x"])
def test_what_is_not_there_is_refused_with_what_is(host: Runtimes, runtime: str) -> None:
    with pytest.raises(RuntimeNotHere, match=r"nodejs18\.x, provided") as refusal:
        host.require(runtime)

    assert f"cannot run {runtime};" in str(refusal.value)


def test_an_older_interpreter_gets_our_own_client(host: Runtimes, tmp_path: Path) -> None:
    launch = host.launch(spec(tmp_path, runtime="python3.9"))

    support = Path(launch.environment["PYTHONPATH"])
    assert launch.command.argv == ("/opt/python3.9", "-s", "-S", "-B", str(support / "ric.py"), "app.handler")
    assert sorted(path.name for path in support.iterdir()) == [".made", "ric.py"]


def test_our_own_interpreter_gets_links_to_the_client_and_the_sdk_and_nothing_else(
    host: Runtimes, tmp_path: Path
) -> None:
    launch = host.launch(spec(tmp_path, runtime=OWN, environment={"PYTHONPATH": "lib"}))

    support, _, theirs = launch.environment["PYTHONPATH"].partition(":")
    names = {path.name for path in Path(support).iterdir()}
    assert theirs == "lib"
    assert {"awslambdaric", "boto3", "botocore", "ric.py"} <= names
    assert not [name for name in names if "hedgerow" in name]


def test_the_hosts_packages_are_seen_only_when_asked_for(host: Runtimes, tmp_path: Path) -> None:
    launch = host.launch(spec(tmp_path, runtime=OWN, system_packages=True))

    assert "-S" not in launch.command.argv


def test_what_a_crash_left_of_a_folder_is_made_anew(host: Runtimes, tmp_path: Path) -> None:
    wanted = spec(tmp_path, runtime="python3.9")
    support = Path(host.launch(wanted).environment["PYTHONPATH"])
    (support / ".made").unlink()
    (support / "ric.py").write_text("half of i")

    Runtimes(tmp_path / "runtimes", path=str(tmp_path / "bin")).launch(wanted)

    assert "def main(" in (support / "ric.py").read_text()


@pytest.mark.parametrize("runtime", [OWN, "nodejs18.x"])
def test_many_that_start_at_once_find_everything(host: Runtimes, tmp_path: Path, runtime: str) -> None:
    host.available()
    together = Barrier(8)

    def launched(number: int) -> set[str]:
        together.wait(10)
        launch = host.launch(spec(tmp_path, runtime=runtime))
        place = Path(launch.environment.get("PYTHONPATH") or Path(launch.command.argv[2]).parent)
        return {path.name for path in place.iterdir()}

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(launched, range(8)))

    assert found == [found[0]] * 8
    assert found[0] & {"ric.py", "ric.mjs"}


def test_a_bootstrap_must_be_there_and_executable(host: Runtimes, tmp_path: Path) -> None:
    (tmp_path / "bootstrap").write_text("")

    with pytest.raises(InvalidEntrypoint, match="bootstrap"):
        host.launch(spec(tmp_path, runtime="provided.al2023"))
    (tmp_path / "bootstrap").chmod(0o755)
    assert host.launch(spec(tmp_path, runtime="provided.al2023")).command.argv == (str(tmp_path / "bootstrap"),)
