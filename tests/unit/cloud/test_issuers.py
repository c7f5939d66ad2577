"""Keys of identity providers: fetched over TLS that is right, kept for a while, and never hammered for."""

import asyncio
import ipaddress
import json
import ssl
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from hedgerow.base.errors import Unavailable
from hedgerow.cloud.issuers import AGAIN_S, FRESH_S, LONGEST, IssuerKeys
from hedgerow.services.sts.sessions import KeysRefused
from tests.support.clock import FakeClock
from tests.support.provider import IdentityProvider, identity_provider, jwk, rsa_key

pytestmark = pytest.mark.slow

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
CONFIGURATION = "/.well-known/openid-configuration"


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[IdentityProvider]:
    with identity_provider(tmp_path) as made:
        yield made


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def issuers(clock: FakeClock, **more: Any) -> IssuerKeys:
    return IssuerKeys(**{"networks": [LOOPBACK], "clock": clock, **more})


def ids(keys: IssuerKeys, provider: IdentityProvider, key_id: str | None = None) -> list[str | None]:
    return [key.id for key in run(keys.keys(provider.issuer, (provider.thumbprint,), key_id))]


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


def refusal(keys: IssuerKeys, provider: IdentityProvider, *thumbprints: str, issuer: str | None = None) -> str:
    with pytest.raises(KeysRefused) as raised:
        run(keys.keys(issuer or provider.issuer, thumbprints or (provider.thumbprint,), None))
    return str(raised.value)


def test_a_server_is_known_by_the_thumbprint_of_its_authority_or_its_own(
    provider: IdentityProvider, clock: FakeClock
) -> None:
    by_authority = run(issuers(clock).keys(provider.issuer, (provider.thumbprint,), None))
    by_leaf = run(issuers(clock).keys(provider.issuer, ("0" * 40, provider.leaf_thumbprint), None))

    assert [key.id for key in by_authority] == [key.id for key in by_leaf] == ["one"]


def test_a_server_that_the_system_knows_needs_no_thumbprint(provider: IdentityProvider, clock: FakeClock) -> None:
    trust = ssl.create_default_context(cadata=provider.ca)

    keys = run(issuers(clock, trust=trust).keys(provider.issuer, (), None))

    assert [key.id for key in keys] == ["one"]


def test_a_server_that_nobody_knows_is_asked_nothing(provider: IdentityProvider, clock: FakeClock) -> None:
    with pytest.raises(KeysRefused, match="neither known to the system nor by a thumbprint"):
        run(issuers(clock).keys(provider.issuer, (), None))
    assert "neither known" in refusal(issuers(clock), provider, "0" * 40)
    assert provider.asked == []


def test_the_right_authority_for_another_name_is_not_enough(tmp_path: Path, clock: FakeClock) -> None:
    with identity_provider(tmp_path, name="other.example.org") as provider:
        assert "neither known" in refusal(issuers(clock), provider)
        assert "neither known" in refusal(issuers(clock), provider, provider.leaf_thumbprint)
        assert provider.asked == []


def test_an_authority_that_did_not_sign_the_server_is_not_enough(
    provider: IdentityProvider, tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "other").mkdir()
    with identity_provider(tmp_path / "other", shown_ca=provider.ca) as other:
        assert "neither known" in refusal(issuers(clock), other, provider.thumbprint)
        assert other.asked == []


def test_addresses_that_the_operator_did_not_allow_are_not_reached(
    provider: IdentityProvider, clock: FakeClock
) -> None:
    assert "webhook_networks" in refusal(issuers(clock, networks=[]), provider)


def test_keys_are_fetched_once_until_they_are_old(provider: IdentityProvider, clock: FakeClock) -> None:
    keys = issuers(clock)
    for _ in range(3):
        ids(keys, provider)
    once = list(provider.asked)
    clock.advance(FRESH_S)
    ids(keys, provider)

    assert once == [CONFIGURATION, "/keys"]
    assert provider.asked == once * 2


def test_a_key_that_is_not_known_is_looked_for_but_not_all_the_time(
    provider: IdentityProvider, clock: FakeClock
) -> None:
    keys = issuers(clock)
    ids(keys, provider)
    provider.keys.append(jwk(rsa_key(2), "two"))

    at_once = ids(keys, provider, "two")
    clock.advance(AGAIN_S)
    later = ids(keys, provider, "two")
    for _ in range(5):
        ids(keys, provider, "none")

    assert (at_once, later) == (["one"], ["one", "two"])
    assert provider.asked.count("/keys") == 2


def test_what_failed_is_not_tried_again_at_once(provider: IdentityProvider, clock: FakeClock) -> None:
    keys = issuers(clock)
    provider.answers[CONFIGURATION] = (500, b"")
    for _ in range(3):
        with pytest.raises(Unavailable, match="answered 500"):
            ids(keys, provider)
    tries = len(provider.asked)
    provider.answers.clear()
    clock.advance(AGAIN_S)

    assert tries == 1
    assert ids(keys, provider) == ["one"]


def test_many_who_wait_are_served_by_one_fetch(provider: IdentityProvider, clock: FakeClock) -> None:
    keys = issuers(clock)

    async def all_at_once() -> list[Any]:
        asks = (keys.keys(provider.issuer, (provider.thumbprint,), "one") for _ in range(20))
        return await asyncio.gather(*asks)

    assert len(run(all_at_once())) == 20
    assert provider.asked == [CONFIGURATION, "/keys"]


def configuration(issuer: str, place: object) -> bytes:
    return json.dumps({"issuer": issuer, "jwks_uri": place}).encode()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (302, b"/elsewhere", "answered 302"),
        (404, b"", "answered 404"),
        (200, b"<html>", "cannot be read"),
        (200, b"[]", "cannot be read"),
        (200, b"{}", "another issuer"),
        (200, b" " * (LONGEST + 1), "more than"),
        (200, configuration("https://evil.example.org", "https://localhost/keys"), "another issuer"),
        (200, configuration("ISSUER", 1), "no keys"),
        (200, configuration("ISSUER", "http://localhost/keys"), "not https"),
        (200, configuration("ISSUER", "file:///etc/passwd"), "not https"),
        (200, configuration("ISSUER", "https://a@localhost/keys"), "not https"),
        (200, configuration("ISSUER", "https://localhost:99999/keys"), "URL"),
        (200, configuration("ISSUER", "https://169.254.169.254/latest"), "webhook_networks"),
        (200, configuration("ISSUER", "https://10.0.0.1/keys"), "webhook_networks"),
    ],
)
def test_a_configuration_that_is_not_right_is_refused(
    provider: IdentityProvider, clock: FakeClock, status: int, body: bytes, said: str
) -> None:
    provider.answers[CONFIGURATION] = (status, body.replace(b"ISSUER", provider.issuer.encode()))

    assert said in refusal(issuers(clock), provider)
    assert provider.asked == [CONFIGURATION]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "AA"}]}'])
def test_keys_that_cannot_be_used_are_refused(provider: IdentityProvider, clock: FakeClock, body: bytes) -> None:
    provider.answers["/keys"] = (200, body)

    assert "cannot be read" in refusal(issuers(clock), provider)


def test_a_server_that_is_not_there_is_not_reached_just_now(provider: IdentityProvider, clock: FakeClock) -> None:
    provider.server.shutdown()
    provider.server.server_close()

    with pytest.raises(Unavailable, match="cannot be reached"):
        ids(issuers(clock), provider)
