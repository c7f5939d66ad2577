"""A public key infrastructure made once, and edges that run against scripted clouds."""

import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hedgerow.edge import Edge, EdgeSettings, build
from hedgerow.edge.backoff import Backoff
from hedgerow.edge.notice import Console
from tests.unit.edge.enrolling import configuration_text
from tests.unit.edge.peer import Peer
from tests.unit.edge.pki import Pki


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.make(tmp_path_factory.mktemp("pki"))


class Site:
    """An edge's folder, and what it says on its console."""

    def __init__(self, root: Path, pki: Pki) -> None:
        self.root = root
        self.pki = pki
        self.stream = io.StringIO()
        self.text: Callable[[Peer], str] = lambda peer: configuration_text(pki, peer.port)

    @property
    def said(self) -> str:
        return self.stream.getvalue()

    @property
    def log(self) -> str:
        return (self.root / "logs" / "greengrass.log").read_text()

    @asynccontextmanager
    async def built(self, peer: Peer) -> AsyncIterator[Edge]:
        """The edge, with waits so short that a test need not wait."""
        config = self.root.parent / f"{self.root.name}.yaml"
        config.touch(mode=0o600)
        config.write_text(self.text(peer))
        quick = Backoff(first_s=0.01, most_s=0.02, slow_s=0.01, slowest_s=0.02)
        settings = EdgeSettings(root=self.root, init_config=config)
        async with build(settings, console=Console(self.stream), backoff=quick) as edge:
            yield edge


@pytest.fixture
def site(tmp_path: Path, pki: Pki) -> Site:
    return Site(tmp_path / "edge", pki)
