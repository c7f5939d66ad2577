"""An edge that is started from a configuration for many machines, without an installer."""

import asyncio
import io
from pathlib import Path

import pytest

from hedgerow.base.errors import Unusable
from hedgerow.edge import EdgeSettings, build
from hedgerow.edge.notice import Console
from tests.unit.edge.enrolling import configuration_text
from tests.unit.edge.pki import Pki


async def parameters(root: Path, config: Path | None, host: str) -> dict[str, str]:
    settings = EdgeSettings(root=root, init_config=config)
    async with build(settings, console=Console(io.StringIO()), host_name=lambda: host) as edge:
        assert edge.settings.claim is not None
        return edge.settings.claim.parameters


@pytest.mark.spec("BS-41")
@pytest.mark.parametrize("named", [True, False], ids=["--init-config", "config.yaml in the folder"])
def test_the_machines_name_is_filled_in_at_the_first_start_and_stays(tmp_path: Path, pki: Pki, named: bool) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(configuration_text(pki, 8883).replace("site-1", "${hostname}"))

    first = asyncio.run(parameters(tmp_path, config if named else None, "branch-017.example.org"))
    later = asyncio.run(parameters(tmp_path, None, "localhost"))

    assert first == later == {"ThingName": "branch-017"}


@pytest.mark.spec("BS-41")
@pytest.mark.parametrize(("value", "words"), [("REPLACEME", "still says REPLACEME"), ("${hostname}", "name this one")])
def test_a_gap_that_nobody_filled_in_stops_the_start(tmp_path: Path, pki: Pki, value: str, words: str) -> None:
    (tmp_path / "config.yaml").write_text(configuration_text(pki, 8883).replace("site-1", value))

    with pytest.raises(Unusable, match=words):
        asyncio.run(parameters(tmp_path, None, "localhost"))
