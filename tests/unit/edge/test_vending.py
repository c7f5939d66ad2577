"""Enrolment at a scripted vending machine: what is said, and a power cut at every write."""

import asyncio
import stat
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hedgerow.base.files import Files, RealFiles
from hedgerow.edge.backoff import Backoff
from hedgerow.edge.endpoint import Endpoint
from hedgerow.edge.enrolment import Waits, enrolled, known_identity
from hedgerow.edge.identity import Identity
from hedgerow.edge.keys import Keys
from hedgerow.edge.notice import Console
from hedgerow.edge.state import State
from hedgerow.edge.trouble import NotLetIn, Trouble
from hedgerow.edge.vending import VendingEnrolment
from hedgerow.edge.vending_settings import Said, Vending
from tests.support.files import RecordingDisk
from tests.unit.edge.pki import Pki
from tests.unit.edge.power import RecordingState

PENDING = {"statusCode": 200, "status": "PENDING", "retryAfterSeconds": 60}


class Machine:
    """A vending machine: one certificate for the key that asks first with the token, and the same one to it again."""

    def __init__(self, pki: Pki, *, before: tuple[Mapping[str, Any], ...] = ()) -> None:
        self.pki = pki
        self.before = list(before)
        self.asked: list[Mapping[str, Any]] = []
        self.certificates: dict[str, str] = {}
        self.on_asked: Callable[[], None] = lambda: None

    async def answers(self, said: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        self.asked.append(said)
        self.on_asked()
        if self.before:
            answer = dict(self.before.pop(0))
            if answer:
                yield answer
            return
        request = x509.load_pem_x509_csr(said["certificateSigningRequest"].encode())
        key = request.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        if self.certificates and key not in self.certificates:
            yield {"statusCode": 403, "errorType": "AccessDeniedException", "message": "not accepted"}
            return
        self.certificates.setdefault(key, self.pki.device.sign_request(said["certificateSigningRequest"]))
        yield {
            "statusCode": 200,
            "status": "ISSUED",
            "certificateId": "c" * 64,
            "certificatePem": self.certificates[key],
            "thingName": "site-1",
            "deviceConfiguration": {"colour": "red"},
        }


def vending(root: Path, **changes: Any) -> Vending:
    values: dict[str, Any] = {
        "endpoint": Endpoint("cloud.local", 8443),
        "serial": Said(text="4711"),
        "token": Said(text="printed"),
        "new_certificate": root / "thingCert.crt",
        "new_private_key": root / "privKey.key",
    }
    return Vending(**{**values, **changes})


def way(root: Path, machine: Machine, state: State, files: Files | None = None, **changes: Any) -> VendingEnrolment:
    return VendingEnrolment(
        vending=vending(root, **changes),
        answers=machine.answers,
        state=state,
        keys=Keys(files=files or RealFiles(), state=state, folder=root),
        files=files or RealFiles(),
        console=Console(StringIO()),
    )


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State(tmp_path / "state.db")
    yield opened
    opened.close()


def attempt(tried: VendingEnrolment) -> Identity:
    return asyncio.run(tried.attempt())


@pytest.mark.spec("AL-57", "AL-61", "AL-50")
def test_a_device_says_serial_token_and_account_and_keeps_what_it_gets(tmp_path: Path, pki: Pki, state: State) -> None:
    machine = Machine(pki)

    identity = attempt(way(tmp_path, machine, state, account="123456789012"))

    (said,) = machine.asked
    assert (said["serialNumber"], said["token"], said["accountId"]) == ("4711", "printed", "123456789012")
    assert (identity.thing_name, identity.certificate_id) == ("site-1", "c" * 64)
    assert identity.certificate.read_text() in machine.certificates.values()
    assert stat.S_IMODE((tmp_path / "privKey.key").stat().st_mode) == 0o600
    assert asyncio.run(known_identity(state)) == identity


@pytest.mark.spec("AL-59")
def test_who_waits_is_told_how_long_and_asks_again_with_the_same_key(tmp_path: Path, pki: Pki, state: State) -> None:
    machine = Machine(pki, before=(PENDING,))
    asking = way(tmp_path, machine, state)

    with pytest.raises(Waits, match="device 4711 waits for its approval") as caught:
        attempt(asking)
    attempt(asking)

    assert caught.value.after_s == 60
    first, second = (x509.load_pem_x509_csr(each["certificateSigningRequest"].encode()) for each in machine.asked)
    assert first.public_key() == second.public_key()


@pytest.mark.parametrize(
    ("answer", "kind", "words", "permanent"),
    [
        ({"statusCode": 403, "errorType": "AccessDeniedException"}, NotLetIn, "does not accept device 4711", True),
        ({"statusCode": 400, "message": "weak key"}, Trouble, "cannot use what device 4711 says: weak key", True),
        ({"statusCode": 429, "message": "Too many"}, Trouble, "too much to do", False),
        ({}, Trouble, "ended the connection without an answer", False),
        ({"statusCode": 503}, Trouble, "of no use: 503", False),
        ({"statusCode": 200, "status": "SHIPPED"}, Trouble, "of no use: 200", False),
        ({"statusCode": 200, "status": "ISSUED", "certificatePem": "x"}, Trouble, "not for this device's key", True),
    ],
)
def test_what_is_not_a_certificate_is_said_in_words(
    tmp_path: Path,
    pki: Pki,
    state: State,
    answer: dict[str, Any],
    kind: type[Trouble],
    words: str,
    permanent: bool,
) -> None:
    machine = Machine(pki, before=(answer,))

    with pytest.raises(kind, match=words) as caught:
        attempt(way(tmp_path, machine, state))

    assert caught.value.permanent is permanent
    assert not (tmp_path / "thingCert.crt").exists()


def test_a_refusal_is_said_and_tried_again_after_long_waits(tmp_path: Path, pki: Pki, state: State) -> None:
    refused = {"statusCode": 403, "errorType": "AccessDeniedException"}
    machine, said = Machine(pki, before=(refused, PENDING | {"retryAfterSeconds": 0})), StringIO()
    backoff = Backoff(first_s=0.001, slow_s=0.002, most_s=0.001, slowest_s=0.002)

    identity = asyncio.run(enrolled(way(tmp_path, machine, state), console=Console(said), backoff=backoff))

    assert identity.thing_name == "site-1"
    lines = said.getvalue().splitlines()
    assert lines[0] == "edge: enrolling at the vending machine cloud.local:8443, by WebSocket"
    assert lines[1].startswith("edge: not enrolled: the vending machine does not accept device 4711")
    assert lines[2:] == ["edge: device 4711 waits for its approval", "edge: enrolled as site-1"]


@pytest.mark.parametrize(("content", "words"), [(None, "cannot read"), (b"", "is empty"), (b"\n\0", "is empty")])
def test_a_serial_number_that_is_not_in_its_file_is_said(
    tmp_path: Path, pki: Pki, state: State, content: bytes | None, words: str
) -> None:
    file, machine = tmp_path / "serial", Machine(pki)
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(Trouble, match=words):
        attempt(way(tmp_path, machine, state, serial=Said(file=file)))

    assert machine.asked == []


def test_serial_number_and_token_are_the_first_line_of_their_files(tmp_path: Path, pki: Pki, state: State) -> None:
    (tmp_path / "serial").write_bytes(b" 4711\0")
    (tmp_path / "token").write_bytes(b"printed\nand more\n")
    machine = Machine(pki)

    serial, token = (Said(file=tmp_path / name) for name in ("serial", "token"))
    attempt(way(tmp_path, machine, state, serial=serial, token=token))

    assert (machine.asked[0]["serialNumber"], machine.asked[0]["token"]) == ("4711", "printed")


@pytest.mark.spec("AL-30", "AL-62")
def test_a_power_cut_at_any_write_goes_on_with_the_same_key_and_leaves_one_certificate(
    tmp_path: Path, pki: Pki
) -> None:
    live = tmp_path / "live"
    live.mkdir()
    disk, machine = RecordingDisk(live), Machine(pki)
    recording = RecordingState(tmp_path / "recorded.db", disk)
    machine.on_asked = lambda: disk.acknowledge("asked")
    first = attempt(way(live, machine, recording, RealFiles(disk)))
    recording.close()
    disk.acknowledge("enrolled")

    cuts = list(disk.power_cuts())

    assert len(cuts) > 8
    for number, cut in enumerate(cuts):
        root = cut.lay_out(tmp_path / f"cut-{number}")
        state = recording.at(cut, tmp_path / f"{number}.db")
        cloud = machine if "asked" in cut.acknowledged else Machine(pki)

        known = asyncio.run(known_identity(state))
        again = known or attempt(way(root, cloud, state))
        state.close()

        certificate = (root / "thingCert.crt").read_text()
        assert [certificate] == list(cloud.certificates.values())
        assert again.thing_name == first.thing_name
        assert known is not None or "enrolled" not in cut.acknowledged
