import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from hedgerow.cloud.device_authority import DeviceAuthority
from hedgerow.core import pki
from hedgerow.core.request import Request
from hedgerow.services.iot.certificates import CertificateFlows, InvalidSigningRequest
from hedgerow.services.iot.certificates.errors import CertificateState
from hedgerow.store import Answer, Tx
from tests.support.registry import Registry, certificate_pem, contents
from tests.support.store import CALLER


class DirectRun:
    """Runs each step in the test's own store, at once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def write(self, operation: Callable[[Tx], Answer], *, lane: str = "") -> Answer:
        with self._registry.store.tx() as tx:
            return operation(tx)

    async def read(self, query: Callable[[Tx], Any]) -> Any:
        with self._registry.store.tx() as tx:
            return query(tx)


class FakeAnchors:
    def __init__(self) -> None:
        self.added: list[str] = []

    @asynccontextmanager
    async def joining(self, certificate_pem: str, *, account: str, ca: bool) -> AsyncIterator[None]:
        yield
        self.added.append(certificate_pem)


class Bench:
    """The flows with a real (small) CA."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.anchors = FakeAnchors()
        authority = pki.new_device_authority(registry.store.clock.now(), kind="p256")
        self.flows = CertificateFlows(
            run=DirectRun(registry),
            certificates=registry.certificates,
            authority=DeviceAuthority(authority=authority, clock=registry.store.clock, host_names=("cloud.example",)),
            anchors=self.anchors,
        )

    def run(self, flow: Any, request: dict[str, Any]) -> dict[str, Any]:
        recorded = Request(request)
        answer = dict(asyncio.run(flow(recorded, CALLER)))
        assert recorded.unread() == []
        return answer

    def status(self, certificate_id: str) -> str:
        with self.registry.store.tx() as tx:
            certificate = self.registry.certificate_store.get(tx, CALLER.account, certificate_id)
        assert certificate is not None
        return certificate.status.value


@pytest.fixture
def bench(registry: Registry) -> Bench:
    return Bench(registry)


def signing_request(common_name: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode("ascii")


@pytest.mark.slow  # makes an RSA key
@pytest.mark.spec("BS-10", "DR-15")
def test_keys_and_certificate_fit_together_and_the_private_key_is_not_kept(bench: Bench) -> None:
    answer = bench.run(bench.flows.create_keys_and_certificate, {"setAsActive": True})

    private = answer["keyPair"]["PrivateKey"]
    key = pki.read_private_key(private)
    certificate = pki.read_certificate(answer["certificatePem"])
    assert private.startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert key.key_size == 2048
    assert certificate.public_key() == key.public_key()
    assert answer["certificateId"] == pki.certificate_id(pki.der_of(certificate))
    assert bench.status(answer["certificateId"]) == "ACTIVE"
    assert "PRIVATE KEY" not in "\n".join(contents(bench.registry))


def test_the_same_signing_request_twice_gives_two_certificates(bench: Bench) -> None:
    request = {"certificateSigningRequest": signing_request("site-1")}

    first = bench.run(bench.flows.create_certificate_from_csr, request)
    second = bench.run(bench.flows.create_certificate_from_csr, request)

    assert first["certificateId"] != second["certificateId"]
    assert bench.status(first["certificateId"]) == "INACTIVE"


@pytest.mark.parametrize("text", ["", "no request"])
def test_what_is_no_signing_request_is_refused(bench: Bench, text: str) -> None:
    with pytest.raises(InvalidSigningRequest):
        bench.run(bench.flows.create_certificate_from_csr, {"certificateSigningRequest": text})


def test_a_device_cannot_bear_the_name_of_the_server(bench: Bench) -> None:
    with pytest.raises(InvalidSigningRequest, match=r"cloud\.example"):
        bench.run(
            bench.flows.create_certificate_from_csr, {"certificateSigningRequest": signing_request("cloud.example")}
        )


def test_a_certificate_without_ca_is_registered_and_then_trusted(bench: Bench) -> None:
    answer = bench.run(
        bench.flows.register_certificate_without_ca, {"certificatePem": certificate_pem(9), "status": "ACTIVE"}
    )

    assert set(answer) == {"certificateArn", "certificateId"}
    assert bench.status(answer["certificateId"]) == "ACTIVE"
    assert bench.anchors.added == [certificate_pem(9)]
    with bench.registry.store.tx() as tx:
        assert bench.registry.certificate_store.without_ca(tx) == [
            (CALLER.account, answer["certificateId"], certificate_pem(9))
        ]


def test_a_pending_status_cannot_be_registered(bench: Bench) -> None:
    with pytest.raises(CertificateState, match="Not allowed to register certificate with PENDING_ACTIVATION status"):
        bench.run(
            bench.flows.register_certificate_without_ca,
            {"certificatePem": certificate_pem(9), "status": "PENDING_ACTIVATION"},
        )
    assert bench.anchors.added == []
