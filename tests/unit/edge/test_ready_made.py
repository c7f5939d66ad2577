import asyncio
from pathlib import Path

import pytest

from hedgerow.edge.configuration import Given
from hedgerow.edge.pkcs11.uri import KeyPlace
from hedgerow.edge.ready_made import HINT, ReadyMade
from hedgerow.edge.trouble import Trouble
from tests.unit.edge.conftest import Site
from tests.unit.edge.enrolling import configuration_text
from tests.unit.edge.peer import running
from tests.unit.edge.pki import Pki


def name_of(certificate: Path, thing_name: str = "") -> str:
    given = Given(thing_name=thing_name, certificate=certificate, private_key=certificate)

    async def as_file(place: KeyPlace) -> Path:
        assert isinstance(place, Path)
        return place

    return asyncio.run(ReadyMade(given, as_file=as_file).attempt()).thing_name


@pytest.mark.spec("AL-31")
def test_the_common_name_is_the_things_name_unless_another_is_said(tmp_path: Path, pki: Pki) -> None:
    certificate, _ = pki.device.issue(tmp_path, "press-7")

    assert (name_of(certificate), name_of(certificate, "other")) == ("press-7", "other")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot read"), ("nonsense", "holds no certificate"), ("not a thing's", "system.thingName is missing")],
)
def test_a_certificate_that_says_no_name_is_said(tmp_path: Path, pki: Pki, content: str | None, words: str) -> None:
    path = tmp_path / "device.pem"
    if content == "nonsense":
        path.write_text(content)
    elif content:
        path.write_bytes(pki.device.issue(tmp_path, content)[0].read_bytes())

    with pytest.raises(Trouble, match=words):
        name_of(path)


@pytest.mark.slow  # the wait after the first connection is a second
@pytest.mark.spec("AL-26", "AL-31")
def test_a_factorys_certificate_that_is_not_there_yet_or_is_cut_at_first_gets_in_in_the_end(
    site: Site, pki: Pki, tmp_path: Path
) -> None:
    files = f"certificateFilePath: {tmp_path}/c.pem, privateKeyPath: {tmp_path}/k.pem, rootCaPath: {pki.root_ca}"
    ready = f"system: {{{files}}}"
    site.text = lambda peer: configuration_text(pki, peer.port).partition("  aws.greengrass.Fleet")[0] + ready

    async def scenario() -> None:
        async with running(pki.listener()) as peer, site.built(peer) as edge, asyncio.TaskGroup() as tasks:
            peer.cut_connects = 1
            task = tasks.create_task(edge.run())
            async with asyncio.timeout(5):
                while "c.pem: No such file" not in site.said:
                    await asyncio.sleep(0.002)
            certificate, key = pki.device.issue(tmp_path, "press-7")
            key.rename(tmp_path / "k.pem")
            certificate.rename(tmp_path / "c.pem")
            await peer.until(lambda: [client.connect.client_id for client in peer.clients] == ["press-7"])
            task.cancel()
            assert len(peer.connects) == 2

    asyncio.run(scenario())
    assert HINT in site.said
    assert site.said.startswith(f"edge: coming in with the ready-made certificate {tmp_path}/c.pem\n")
