"""A power cut at every write of an enrolment by claim: it ends enrolled or goes on, and the claim goes with it."""

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from hedgerow.base.clock import SystemClock
from hedgerow.base.files import Files, RealFiles
from hedgerow.base.ids import RandomIds
from hedgerow.edge.backoff import Backoff
from hedgerow.edge.compose import Edge
from hedgerow.edge.configuration import read
from hedgerow.edge.enrolment import known_identity
from hedgerow.edge.identity import fits, key_in
from hedgerow.edge.keys import Keys
from hedgerow.edge.layout import Layout
from hedgerow.edge.notice import Console
from hedgerow.edge.provisioning import CREATE_KEYS
from hedgerow.edge.state import State
from tests.support.files import Cut, RecordingDisk
from tests.unit.edge.enrolling import CREATE, PROVISION, configuration_text
from tests.unit.edge.peer import Peer, running
from tests.unit.edge.pki import Pki
from tests.unit.edge.power import RecordingState

Replies = list[tuple[str, dict[str, Any]]]


class Cloud:
    """What a cloud knows: the certificates that wait for their thing, and those that live, by their tokens."""

    def __init__(self, pki: Pki, keys: Path | None = None) -> None:
        """`keys` is where those are made that a claim must have from the cloud; None when it signs requests."""
        self.pki = pki
        self.keys = keys
        self.disk: RecordingDisk | None = None
        self.waiting: dict[str, str] = {}
        self.live: dict[str, str] = {}

    def at(self, cut: Cut, *, later: bool) -> "Cloud":
        """As it was when the power was cut; when it came back `later`, tokens were no longer good."""
        cloud = Cloud(self.pki, self.keys)
        cloud.waiting = dict(self.waiting) if "created" in cut.acknowledged and not later else {}
        cloud.live = dict(self.live) if "provisioned" in cut.acknowledged else {}
        return cloud

    def serve(self, peer: Peer) -> None:
        peer.answers[PROVISION] = self._provision
        if self.keys is None:
            peer.answers[CREATE] = self._create
        else:
            peer.deny = {f"{CREATE}/accepted", f"{CREATE}/rejected"}
            peer.answers[CREATE_KEYS] = self._create_keys

    def _create(self, topic: str, body: dict[str, Any]) -> Replies:
        return self._created(topic, self.pki.device.sign_request(body["certificateSigningRequest"]))

    def _create_keys(self, topic: str, _: dict[str, Any]) -> Replies:
        assert self.keys is not None
        certificate, key = self.pki.device.issue(self.keys, "made")
        return self._created(topic, certificate.read_text(), privateKey=key.read_text())

    def _created(self, topic: str, pem: str, **more: str) -> Replies:
        token = f"t{len(self.waiting) + len(self.live) + 1}"
        self.waiting[token] = pem
        self._told("created")
        answer = {"certificateId": token, "certificatePem": pem, "certificateOwnershipToken": token}
        return [(f"{topic}/accepted", {**answer, **more})]

    def _provision(self, topic: str, body: dict[str, Any]) -> Replies:
        token = body["certificateOwnershipToken"]
        if token not in self.waiting:
            text = "Certificate ownership token is invalid."
            code = "InvalidCertificateOwnershipToken"
            return [(f"{topic}/rejected", {"statusCode": 400, "errorCode": code, "errorMessage": text})]
        if any(not same_key(live, self.waiting[token]) for live in self.live.values()):
            text = "thing site-1 already exists"
            return [(f"{topic}/rejected", {"statusCode": 400, "errorCode": "Taken", "errorMessage": text})]
        self.live = {token: self.waiting[token]}  # what the holder of this key never came with has ended
        self._told("provisioned")
        return [(f"{topic}/accepted", {"thingName": "site-1", "deviceConfiguration": {}})]

    def _told(self, what: str) -> None:
        if self.disk is not None:
            self.disk.acknowledge(what)


def same_key(one: str, other: str) -> bool:
    keys = [x509.load_pem_x509_certificate(pem.encode()).public_key() for pem in (one, other)]
    return keys[0] == keys[1]


def edge(root: Path, peer: Peer, pki: Pki, state: State, files: Files) -> Edge:
    text = configuration_text(pki, peer.port)
    for place, name in zip(pki.claim, ("claim.pem", "claim.key"), strict=True):
        text = text.replace(str(place), str(root / "claim" / name))
    return Edge(
        settings=read(text, root=root),
        layout=Layout(root),
        state=state,
        keys=Keys(files=files, state=state, folder=root / "identity"),
        files=files,
        clock=SystemClock(),
        ids=RandomIds(),
        console=Console(io.StringIO()),
        backoff=Backoff(first_s=0.001, most_s=0.002, slow_s=5, slowest_s=5),
    )


@pytest.mark.slow
@pytest.mark.spec("AL-29", "AL-54", "BS-03")
@pytest.mark.parametrize(
    ("later", "made_by_the_cloud"),
    [(False, False), (True, False), (False, True)],
    ids=["back at once", "back when the token is over", "with a key of the cloud"],
)
def test_a_power_cut_at_any_write_ends_enrolled_or_goes_on_with_one_live_certificate(
    tmp_path: Path, pki: Pki, later: bool, made_by_the_cloud: bool
) -> None:
    live = tmp_path / "live"
    live.mkdir()
    disk, cloud = RecordingDisk(live), Cloud(pki, tmp_path if made_by_the_cloud else None)
    files = RealFiles(disk)
    files.make_folder(live / "claim")
    for place, name in zip(pki.claim, ("claim.pem", "claim.key"), strict=True):
        files.write_durably(live / "claim" / name, place.read_bytes())
    disk.acknowledge("delivered")
    recording, cloud.disk = RecordingState(tmp_path / "recorded.db", disk), disk

    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            cloud.serve(peer)
            await edge(live, peer, pki, recording, files)._identity()
            disk.acknowledge("enrolled")
            cuts = [cut for cut in disk.power_cuts() if "delivered" in cut.acknowledged]
            assert len(cuts) > 15
            for number, cut in enumerate(cuts):
                root, then = cut.lay_out(tmp_path / f"cut-{number}"), cloud.at(cut, later=later)
                state = recording.at(cut, tmp_path / f"{number}.db")
                then.serve(peer)
                known = await known_identity(state)
                async with asyncio.timeout(3):
                    identity = await edge(root, peer, pki, state, RealFiles())._identity()
                state.close()

                (certificate,) = then.live.values()
                assert identity.certificate.name == "thingCert.crt"
                assert (root / "thingCert.crt").read_text() == certificate
                assert fits(certificate, key_in(root / "privKey.key"))
                assert list((root / "claim").iterdir()) == []
                assert known is not None or "enrolled" not in cut.acknowledged

    asyncio.run(scenario())
    recording.close()
