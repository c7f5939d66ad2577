"""What listeners trust beside the device CA, shown by handshakes in memory."""

import asyncio
import datetime
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hedgerow.base.files import RealFiles
from hedgerow.cloud.anchors import Anchors
from hedgerow.cloud.trust import Trust, open_trust
from hedgerow.core import pki
from hedgerow.services.iot.ca_certificates.errors import NameTaken
from hedgerow.store import Vault
from tests.support.clock import FakeClock

MINE, THEIRS = "111111111111", "222222222222"
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC)


class Made:
    """A certificate with its key, signed by itself or by another; without key identifiers unless asked for."""

    def __init__(self, name: str, signer: "Made | None" = None, *, issuer: str = "", identified: bool = False) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        signer = signer or self
        self.subject = named(name)
        builder = x509.CertificateBuilder(
            subject_name=self.subject,
            issuer_name=named(issuer) if issuer else signer.subject,
            public_key=self.key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=START,
            not_valid_after=END,
        )
        if signer is self:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        if identified:
            authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
            builder = builder.add_extension(authority, critical=False)
        self.pem = pki.pem_of(builder.sign(signer.key, hashes.SHA256()))


def named(name: str) -> x509.Name:
    kind = NameOID.ORGANIZATIONAL_UNIT_NAME if name == pki.AWS_ISSUER else NameOID.COMMON_NAME
    return x509.Name([x509.NameAttribute(kind, name)])


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    vault = Vault(b"k" * 32)
    return open_trust(tmp_path, ["localhost"], vault=vault, clock=FakeClock(), files=RealFiles())


@pytest.fixture
def anchors(trust: Trust) -> Anchors:
    return Anchors(trust=trust)


def join(anchors: Anchors, made: Made, account: str = MINE, *, ca: bool = False) -> None:
    async def enter() -> None:
        async with anchors.joining(made.pem, account=account, ca=ca):
            pass

    asyncio.run(enter())


def shakes(trust: Trust, folder: Path, made: Made) -> bool:
    """Tell whether the listener accepts a handshake with this client certificate."""
    (folder / "client.pem").write_text(made.pem + pki.private_pem(made.key))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE  # the server's side is another test
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.load_cert_chain(folder / "client.pem")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        trust.mqtt.wrap_bio(to_server, to_client, server_side=True),
    ]
    try:
        for side in sides * 4:
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    except ssl.SSLError:
        return False
    return sides[1].getpeercert(binary_form=True) is not None


def test_a_ca_that_joins_is_trusted_by_the_listener_that_is_there(
    trust: Trust, anchors: Anchors, tmp_path: Path
) -> None:
    ca = Made("Acme CA")
    device = Made("lamp", ca)
    before = shakes(trust, tmp_path, device)

    join(anchors, ca, ca=True)

    assert (before, shakes(trust, tmp_path, device)) == (False, True)


def test_very_many_are_trusted_at_once(trust: Trust, tmp_path: Path) -> None:
    made = [Made("Acme CA"), Made("lamp"), Made("lamp")]

    asyncio.run(trust.anchor_all([each.pem for each in made]))

    assert all(shakes(trust, tmp_path, each) for each in (Made("switch", made[0]), *made[1:]))


def test_what_fails_in_the_block_is_not_trusted(trust: Trust, anchors: Anchors, tmp_path: Path) -> None:
    ca = Made("Acme CA")

    async def fail() -> None:
        async with anchors.joining(ca.pem, account=MINE, ca=True):
            raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(fail())

    assert not shakes(trust, tmp_path, Made("lamp", ca))


@pytest.mark.parametrize("ca", [True, False])
@pytest.mark.parametrize("name", ["Acme CA", "ACME  ca "])
def test_another_account_cannot_bring_the_name_of_a_ca(anchors: Anchors, name: str, *, ca: bool) -> None:
    join(anchors, Made("Acme CA"), ca=True)

    with pytest.raises(NameTaken):
        join(anchors, Made(name), THEIRS, ca=ca)


def test_nobody_brings_the_name_of_the_device_ca(trust: Trust, anchors: Anchors, tmp_path: Path) -> None:
    key = pki.new_key("p256")
    pem = pki.issue_device(trust.device_authority, key.public_key(), FakeClock().now())
    ours = Made("lamp")
    ours.pem, ours.key = pem, key  # type: ignore[assignment]  # an EC key it is

    for ca in (True, False):
        with pytest.raises(NameTaken):
            join(anchors, Made(pki.AWS_ISSUER), ca=ca)

    assert shakes(trust, tmp_path, ours)


def test_dates_are_not_the_handshakes_business(trust: Trust, tmp_path: Path) -> None:
    key, past = pki.new_key("p256"), 1_000_000_000.0
    made = Made("lamp")
    made.key = key  # type: ignore[assignment]  # an EC key it is
    for now in (past, FakeClock().now() + 1e9):
        made.pem = pki.issue_device(trust.device_authority, key.public_key(), now)

        assert shakes(trust, tmp_path, made)


def test_the_attack_works_where_it_is_not_refused(trust: Trust, anchors: Anchors, tmp_path: Path) -> None:
    """Why names are refused: OpenSSL tries the first CA of that name and no other."""
    cas = [Made("Acme CA"), Made("Acme CA")]
    devices = [Made("lamp", ca) for ca in cas]

    for ca in cas:
        join(anchors, ca, ca=True)  # one account may do so to itself

    assert [shakes(trust, tmp_path, device) for device in devices] != [True, True]


def test_the_same_ca_may_be_in_several_accounts(trust: Trust, anchors: Anchors, tmp_path: Path) -> None:
    ca = Made("Acme CA")
    join(anchors, ca, ca=True)

    join(anchors, ca, THEIRS, ca=True)

    assert shakes(trust, tmp_path, Made("lamp", ca))


def test_self_signed_certificates_of_one_name_do_not_meet(trust: Trust, anchors: Anchors, tmp_path: Path) -> None:
    mine, theirs = Made("lamp"), Made("lamp")
    join(anchors, mine)

    join(anchors, theirs, THEIRS)

    assert [shakes(trust, tmp_path, made) for made in (mine, theirs)] == [True, True]


def test_a_ca_cannot_stand_before_certificates_that_it_did_not_sign(
    trust: Trust, anchors: Anchors, tmp_path: Path
) -> None:
    vendor = Made("Vendor CA")
    device = Made("lamp", vendor)
    join(anchors, device)

    with pytest.raises(NameTaken):
        join(anchors, Made("Vendor CA"), THEIRS, ca=True)
    join(anchors, vendor, THEIRS, ca=True)

    assert shakes(trust, tmp_path, device)


def test_a_certificate_whose_issuer_has_a_namesake_is_refused_rather_than_never_accepted(anchors: Anchors) -> None:
    join(anchors, Made("Vendor CA"), ca=True)

    with pytest.raises(NameTaken, match="issuer"):
        join(anchors, Made("lamp", Made("Vendor CA")), THEIRS)


def test_certificates_that_aws_issued_can_move_here(trust: Trust, anchors: Anchors, tmp_path: Path) -> None:
    aws = Made(pki.AWS_ISSUER)
    device = Made("AWS IoT Certificate", aws, identified=True)

    join(anchors, device)

    assert shakes(trust, tmp_path, device)
