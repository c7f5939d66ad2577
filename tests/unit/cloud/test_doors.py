"""Which certificate and which TLS a server name gets, and that certificates are renewed under live connections."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509

from hedgerow.base.files import RealFiles
from hedgerow.cloud.anchors import Anchors
from hedgerow.cloud.domains import Domains
from hedgerow.cloud.doors import Doors
from hedgerow.cloud.trust import open_trust
from hedgerow.core import pki
from hedgerow.core.events import DomainChanged
from hedgerow.core.tls import Application, Domain, Hello, Port, Proof
from hedgerow.gateway.entry import Entry
from hedgerow.store import Vault
from tests.support.clock import FakeClock, FakeIds
from tests.unit.cloud.test_anchors import Made

DAY_S = 86_400
DOMAIN = Domain(account="123456789012", configuration="mine", name="iot.acme.example")


class NoHttp:
    def __init__(self) -> None:
        self.ended: list[str] = []

    def end(self, server_name: str) -> None:
        self.ended.append(server_name)


class World:
    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.trust = open_trust(
            folder, ["cloud.example", "10.0.0.1"], vault=Vault(b"k" * 32), clock=self.clock, files=RealFiles()
        )
        self.anchors, self.domains, self.http = Anchors(trust=self.trust), Domains(), NoHttp()
        gateway: Any = SimpleNamespace(clock=self.clock, ids=FakeIds())
        http: Any = self.http
        self.doors = Doors(
            gateway=gateway,
            http=http,
            domains=self.domains,
            anchors=self.anchors,
            files=RealFiles(),
        )

    def know(self, domain: Domain | None, name: str = DOMAIN.name) -> None:
        self.domains.announce(
            DomainChanged(account=DOMAIN.account, configuration=DOMAIN.configuration, name=name, domain=domain)
        )

    async def entry(self, name: str | None, port: Port = Port.MQTT, *alpn: str) -> Entry | None:
        return await self.doors.choose(port)(Hello(name, alpn))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def run(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(work())


class Handshake:
    """Two sides in memory. The client trusts the cloud's server CA."""

    def __init__(self, world: World, server: ssl.SSLContext, name: str, shown: Path | None = None) -> None:
        client = ssl.create_default_context(cafile=str(world.trust.ca_file))
        client.verify_flags |= _NO_CHECK_TIME  # the clock is not the real one
        if shown is not None:
            client.load_cert_chain(shown)
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(to_client, to_server, server_hostname=name)
        self.server = server.wrap_bio(to_server, to_client, server_side=True)
        for side in (self.client, self.server) * 4:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue

    @property
    def certificate(self) -> x509.Certificate:
        der = self.client.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der)

    def names(self) -> list[str]:
        extension = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return [str(name.value) for name in extension.value]


_NO_CHECK_TIME: Any = 0x200000


def handshake(world: World, name: str, port: Port = Port.MQTT, shown: Path | None = None) -> Handshake:
    entry = run(lambda: world.entry(name, port))
    assert entry is not None
    return Handshake(world, entry.context, name, shown)


@pytest.mark.spec("BS-40")
def test_the_server_name_chooses_the_certificate(world: World) -> None:
    world.know(DOMAIN)

    assert handshake(world, DOMAIN.name).names() == [DOMAIN.name]
    assert handshake(world, DOMAIN.name, Port.HTTPS).names() == [DOMAIN.name]
    assert handshake(world, "cloud.example").names() == ["cloud.example", "10.0.0.1", "*.cloud.example"]


def test_who_names_nobody_or_a_stranger_gets_the_clouds_own(world: World) -> None:
    own = world.trust.mqtt

    nameless, unknown = run(lambda: world.entry(None)), run(lambda: world.entry("unknown.example"))

    assert nameless.context is own
    assert unknown.context is own


@pytest.mark.parametrize(
    ("policy", "version"),
    [
        ("IoTSecurityPolicy_TLS13_1_3_2022_10", "TLSv1.3"),
        ("IoTSecurityPolicy_TLS13_1_2_2022_10", "TLSv1.3"),
        ("IoTSecurityPolicy_TLS12_1_2_2022_10", "TLSv1.2"),
        ("IoTSecurityPolicy_TLS12_1_0_2016_01", "TLSv1.2"),
    ],
)
def test_a_security_policy_bounds_the_versions(world: World, policy: str, version: str) -> None:
    world.know(replace(DOMAIN, policy=policy))

    assert handshake(world, DOMAIN.name).server.version() == version


def test_a_change_makes_the_context_anew_and_ends_http_connections(world: World) -> None:
    world.know(DOMAIN)
    first = run(lambda: world.entry(DOMAIN.name))
    again = run(lambda: world.entry(DOMAIN.name))

    world.know(replace(DOMAIN, policy="IoTSecurityPolicy_TLS13_1_3_2022_10"))
    changed = run(lambda: world.entry(DOMAIN.name))

    assert first.context is again.context
    assert changed.context is not first.context
    assert world.http.ended == [DOMAIN.name] * 2
    assert list(world.trust.more) == [changed.context]  # nothing is renewed for nobody


def test_disabled_and_deleted_configurations_let_nobody_in(world: World) -> None:
    world.know(replace(DOMAIN, enabled=False))
    disabled = run(lambda: world.entry(DOMAIN.name))
    world.know(None)

    deleted = run(lambda: world.entry(DOMAIN.name))

    assert disabled is None
    assert deleted.way.domain is None  # it is a stranger's name now


def test_a_device_with_a_certificate_of_its_own_is_known_at_every_name(world: World, tmp_path: Path) -> None:
    before, later = Made("lamp"), Made("pump")
    world.know(DOMAIN)

    async def join(made: Made) -> None:
        async with world.anchors.joining(made.pem, account=DOMAIN.account, ca=False):
            pass

    run(lambda: join(before))
    handshake(world, DOMAIN.name)  # the context is there now
    run(lambda: join(later))

    for made in (before, later):
        file = tmp_path / "client.pem"
        file.write_text(made.pem + pki.private_pem(made.key))
        shaken = handshake(world, DOMAIN.name, shown=file)
        assert shaken.server.getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(made.pem)


def test_nobody_is_asked_for_a_certificate_where_a_signature_counts(world: World) -> None:
    world.know(replace(DOMAIN, proof=Proof.SIGV4, application=Application.HTTPS))

    entry = run(lambda: world.entry(DOMAIN.name, Port.HTTPS))

    assert entry.context.verify_mode is ssl.CERT_NONE


def test_certificates_are_renewed_in_good_time_and_nobody_notices(world: World) -> None:
    world.know(DOMAIN)
    contexts = [world.trust.mqtt, world.trust.https, world.trust.strangers]
    names = ("cloud.example", DOMAIN.name)
    open_ones = [handshake(world, name) for name in names]
    ends = [each.certificate.not_valid_after_utc.timestamp() for each in open_ones]

    world.clock.advance(59 * DAY_S)
    run(world.doors.renew_if_due)
    unchanged = [handshake(world, name).certificate for name in names]
    world.clock.advance(2 * DAY_S)
    run(world.doors.renew_if_due)
    renewed = [handshake(world, name).certificate for name in names]

    assert ends == pytest.approx([world.clock.now() + 29 * DAY_S] * 2, abs=2)
    assert unchanged == [each.certificate for each in open_ones]
    assert [each.not_valid_after_utc.timestamp() for each in renewed] == pytest.approx(
        [world.clock.now() + 90 * DAY_S] * 2, abs=2
    )
    assert [world.trust.mqtt, world.trust.https, world.trust.strangers] == contexts
    for each in open_ones:  # they go on
        each.server.write(b"still here")
        assert each.client.read(10) == b"still here"


def test_what_is_on_disk_is_what_is_shown(world: World, tmp_path: Path) -> None:
    world.clock.advance(61 * DAY_S)

    run(world.doors.renew_if_due)

    written = x509.load_pem_x509_certificate((tmp_path / "pki" / "server.pem").read_bytes())
    assert handshake(world, "cloud.example").certificate == written
    assert (tmp_path / "pki" / "server.key").stat().st_mode & 0o777 == 0o600


def test_a_device_whose_clock_is_late_still_trusts_a_new_certificate(world: World) -> None:
    begun = world.clock.now()
    world.clock.advance(61 * DAY_S)
    run(world.doors.renew_if_due)
    young = handshake(world, "cloud.example").certificate

    world.clock.advance(700 * DAY_S)
    run(world.doors.renew_if_due)
    old = handshake(world, "cloud.example").certificate

    assert young.not_valid_before_utc.timestamp() == pytest.approx(begun - 120, abs=2)  # when its root begins
    assert old.not_valid_before_utc.timestamp() == pytest.approx(world.clock.now() - 365 * DAY_S - 120, abs=2)
