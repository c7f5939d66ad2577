"""Any free port is the one of the last time, when nobody has taken it."""

import json
import socket
from pathlib import Path

import pytest

from hedgerow.cloud.ports import last_ports, preferred


def test_the_ports_of_the_last_run_are_read(tmp_path: Path) -> None:
    ready = {
        "api_url": "https://127.0.0.1:1001",
        "mqtt_port": 1002,
        "https_port": 1003,
        "console_url": "http://127.0.0.1:1004",
    }
    (tmp_path / "ready.json").write_text(json.dumps(ready))

    assert last_ports(tmp_path) == {"api": 1001, "mqtt": 1002, "https": 1003, "console": 1004}


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"api_url": 5}'])
def test_what_cannot_be_read_says_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "ready.json").write_text(content)

    assert last_ports(tmp_path) == {}


def test_a_port_that_was_asked_for_is_asked_for() -> None:
    assert preferred(8080, "127.0.0.1", 1001) == 8080


def test_a_port_that_somebody_has_now_is_not_taken_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert preferred(0, "127.0.0.1", other.getsockname()[1]) == 0


def test_a_port_that_is_free_is_taken_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

    assert preferred(0, "127.0.0.1", port) == port
