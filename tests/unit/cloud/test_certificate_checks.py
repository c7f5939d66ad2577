"""A domain configuration's own function is asked about certificates: only a plain yes lets anybody in."""

import asyncio
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes

from hedgerow.base.errors import HedgerowError, ServiceError, Unavailable
from hedgerow.cloud import certificate_checks
from hedgerow.cloud.certificate_checks import AT_ONCE, CertificateChecks
from hedgerow.cloud.domains import Domains
from hedgerow.core import pki
from hedgerow.core.events import DomainChanged
from hedgerow.core.tls import Application, Domain, Proof
from tests.support.registry import certificate_pem

HASH = hashes.SHA256()
LOOK = "arn:aws:lambda:eu-central-1:123456789012:function:look"
DER = pki.der_of(pki.read_certificate(certificate_pem(1)))
DOMAIN = Domain(
    account="123456789012",
    configuration="mine",
    name="iot.acme.example",
    proof=Proof.X509,
    application=Application.SECURE_MQTT,
    callback=LOOK,
)


class Looking:
    """A function that answers `said`, or fails with it."""

    def __init__(self, said: bytes | HedgerowError = b'{"isAuthenticated": true}') -> None:
        self.said = said
        self.asked: list[dict[str, Any]] = []
        self.under_way = self.most = 0
        self.release: asyncio.Event | None = None

    async def invoke(self, *, account: str, function_arn: str, payload: bytes, source_arn: str) -> bytes:
        self.asked.append({"account": account, "function": function_arn, "source": source_arn, **json.loads(payload)})
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.release is not None:
                await self.release.wait()
        finally:
            self.under_way -= 1
        if isinstance(self.said, HedgerowError):
            raise self.said
        return self.said


def objection(looking: Looking, domain: Domain = DOMAIN) -> str | None:
    checks = CertificateChecks(invoker=looking, region="eu-central-1")
    return asyncio.run(checks.objection(domain, DER, connection_id="c-1"))


def test_the_function_is_shown_what_aws_shows_it() -> None:
    looking = Looking()

    assert objection(looking) is None
    assert looking.asked == [
        {
            "account": "123456789012",
            "function": LOOK,
            "source": "arn:aws:iot:eu-central-1:123456789012:domainconfiguration/mine",
            "connectionMetadata": {"id": "c-1"},
            "principalId": pki.read_certificate(certificate_pem(1)).fingerprint(HASH).hex(),
            "serverName": "iot.acme.example",
            "clientCertificateChain": [certificate_pem(1)],
        }
    ]


@pytest.mark.parametrize(
    "said",
    [
        b'{"isAuthenticated": false}',
        b'{"isAuthenticated": "true"}',
        b'{"isAuthenticated": 1}',
        b"{}",
        b"[]",
        b"no JSON",
        b"[" * 100_000,
        Unavailable("the pool is full"),
        ServiceError("its policy does not let AWS IoT invoke it"),
    ],
)
def test_anything_but_a_plain_yes_lets_nobody_in(said: bytes | HedgerowError) -> None:
    why = objection(Looking(said))

    assert why is not None
    assert LOOK in why


def test_where_no_function_is_named_nobody_is_asked() -> None:
    domains = Domains(checks=CertificateChecks(invoker=Looking(b"no"), region="eu-central-1"))
    plain = Domain(account="123456789012", configuration="mine", name="plain.acme.example")
    domains.announce(DomainChanged(account=plain.account, configuration="mine", name=plain.name, domain=plain))

    answers = [asyncio.run(domains.check(name, DER, connection_id="")) for name in (plain.name, "other.example", None)]

    assert answers == [None, None, None]


def test_a_slow_function_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate_checks, "WITHIN_S", 0.01)
    looking = Looking()
    looking.release = asyncio.Event()

    why = objection(looking)

    assert why is not None
    assert "took longer" in why


def test_one_accounts_crowd_does_not_keep_anothers_device_waiting() -> None:
    async def main() -> tuple[int, str | None]:
        looking = Looking()
        looking.release = asyncio.Event()
        checks = CertificateChecks(invoker=looking, region="eu-central-1")
        crowd = [asyncio.ensure_future(checks.objection(DOMAIN, DER, connection_id="")) for _ in range(AT_ONCE + 5)]
        await asyncio.sleep(0)
        other = Domain(account="210987654321", configuration="t", name="t.example", proof=Proof.X509, callback=LOOK)
        mine = asyncio.ensure_future(checks.objection(other, DER, connection_id=""))
        await asyncio.sleep(0)
        most = looking.most
        looking.release.set()
        await asyncio.gather(*crowd)
        return most, await mine

    assert asyncio.run(main()) == (AT_ONCE + 1, None)
