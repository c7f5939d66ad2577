"""The pytest plugin: `hedgerow_cloud`, a fresh account in a cloud that runs for the whole session."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hedgerow.testing.cloud import CloudProcess, TestCloud


@pytest.fixture(scope="session")
def hedgerow_process(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[CloudProcess]":
    """A cloud process on free ports of loopback, without the console; started once, ended with the session."""
    from hedgerow.testing.cloud import start_cloud

    folder = tmp_path_factory.mktemp("cloud")
    arguments = ("--no-console", "--host=localhost", "--host=127.0.0.1")
    cloud = start_cloud(folder, *arguments, HEDGEROW_WEBHOOK_NETWORKS="127.0.0.0/8", HEDGEROW_ALPN_PORT="0")
    yield cloud
    cloud.stop()


@pytest.fixture
def hedgerow_cloud(hedgerow_process: "CloudProcess", tmp_path: Path) -> "TestCloud":
    """The cloud as a fresh account sees it: `client(service)`, `session`, `device(name)`."""
    return hedgerow_process.new_account(tmp_path)
