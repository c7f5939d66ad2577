"""Whose a connection is: our own process', a child's, a stranger's."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hedgerow.functions.peers import can_tell, is_of

pytestmark = pytest.mark.skipif(not can_tell(), reason="this kernel does not tell whose a socket is")

CLIENT = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.recv(1)"
Ends = tuple[tuple[str, int], tuple[str, int]]


@contextmanager
def called(*command: str) -> Iterator[tuple[int, Ends]]:
    """Start a program that connects; answer its process and the connection's two ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        port = server.getsockname()[1]
        with subprocess.Popen([*command, sys.executable, "-c", CLIENT, str(port)]) as process:
            accepted, peer = server.accept()
            with accepted:
                yield process.pid, (peer, accepted.getsockname())


def test_a_connection_of_a_process_is_its_own_and_of_those_that_started_it() -> None:
    with called() as (pid, ends):
        assert is_of(pid, *ends)
        assert is_of(os.getpid(), *ends)


def test_a_connection_of_a_child_is_its_parents() -> None:
    with called("/bin/sh", "-c", '"$@"; true', "sh") as (pid, ends):
        assert is_of(pid, *ends)


def test_a_connection_of_another_process_is_not() -> None:
    with called() as (pid, ends), subprocess.Popen(["sleep", "60"]) as other:
        assert not is_of(other.pid, *ends)
        assert is_of(pid, *ends)
        other.kill()


def test_a_connection_that_is_not_there_is_nobodys() -> None:
    with called() as (pid, (client, server)):
        assert not is_of(pid, client, (server[0], 1))
        assert not is_of(pid, ("127.0.0.2", client[1]), server)


def test_nothing_belongs_to_a_process_that_has_ended() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    with called() as (_, ends):
        assert not is_of(ended.pid, *ends)
