"""The calls to the data plane and the credential provider, against a scripted one."""

import asyncio
import ssl
from collections.abc import Iterator

import pytest

from hedgerow.core.wire.messages import HttpRequest
from hedgerow.core.wire.sigv4 import EMPTY_HASH, check, read_signed
from hedgerow.edge import tls
from hedgerow.edge.cloud import Cloud, CloudRefused
from hedgerow.edge.configuration import Endpoint
from hedgerow.edge.credentials import CredentialProvider, CredentialsRefused
from hedgerow.edge.trouble import Trouble, WrongCa
from tests.support.clock import FakeClock
from tests.unit.edge.pki import Authority, Pki
from tests.unit.edge.plane import Plane, component_arn, lambda_recipe, serving


@pytest.fixture
def plane(pki: Pki) -> Iterator[Plane]:
    context = pki.listener()
    context.verify_mode = ssl.CERT_OPTIONAL
    with serving(context, Plane()) as plane:
        yield plane


def provider(plane: Plane, pki: Pki, clock: FakeClock, *, alias: str = "Role") -> CredentialProvider:
    return CredentialProvider(
        endpoint=Endpoint("localhost", plane.port),
        role_alias=alias,
        thing_name="site-1",
        context=lambda: tls.mutual(root_ca=pki.root_ca, certificate=pki.claim[0], private_key=pki.claim[1]),
        clock=clock,
    )


def cloud(plane: Plane, pki: Pki, *, alias: str = "Role", root_ca: str = "") -> Cloud:
    return Cloud(
        data_plane=Endpoint("localhost", plane.port),
        region="eu-central-1",
        thing_name="site-1",
        mutual=lambda: tls.mutual(root_ca=pki.root_ca, certificate=pki.claim[0], private_key=pki.claim[1]),
        trusting=lambda: tls.trusting(pki.root_ca),
        credentials=provider(plane, pki, FakeClock(), alias=alias),
        clock=FakeClock(),
    )


def test_the_groups_of_a_thing_and_those_above_them_are_known(plane: Plane, pki: Pki) -> None:
    plane.groups = ["a", "b"]

    assert asyncio.run(cloud(plane, pki).thing_groups()) == {"a", "b"}


def test_a_version_is_resolved_with_its_recipe(plane: Plane, pki: Pki) -> None:
    plane.add(lambda_recipe("app", "1.0.0", b"zip"), b"zip")

    found = asyncio.run(cloud(plane, pki).resolve("app", {"thing/site-1": "=1.0.0"}, {"os": "linux"}))

    assert (found.name, found.version, found.arn) == ("app", "1.0.0", component_arn("app", "1.0.0"))
    assert '"ComponentName": "app"' in found.recipe_text


def test_what_the_cloud_does_not_have_is_a_refusal_with_its_words(plane: Plane, pki: Pki) -> None:
    with pytest.raises(CloudRefused, match="no usable version of app") as raised:
        asyncio.run(cloud(plane, pki).resolve("app", {"t": "=1.0.0"}, {}))

    assert raised.value.status == 404


def test_a_cloud_in_trouble_may_be_asked_again(plane: Plane, pki: Pki) -> None:
    plane.down = True

    with pytest.raises(Trouble) as raised:
        asyncio.run(cloud(plane, pki).thing_groups())

    assert not isinstance(raised.value, CloudRefused)


def test_the_place_of_an_artifact_is_asked_for_with_a_valid_signature_of_the_roles_credentials(
    plane: Plane, pki: Pki
) -> None:
    url = asyncio.run(cloud(plane, pki).artifact_url(component_arn("app", "1.0.0"), "app-1/code x.zip"))

    assert url.startswith(f"https://localhost:{plane.port}/blob/app-1/code x.zip")
    method, target, headers = plane.requests[-1]
    path, _, query = target.partition("?")
    request = HttpRequest(method, path, query, headers)
    signed = read_signed(request)
    assert signed is not None
    assert (signed.credential.service, signed.token) == ("greengrass", "t")
    check(signed, request, "very secret", EMPTY_HASH)


def test_without_a_role_alias_the_devices_certificate_is_enough(plane: Plane, pki: Pki) -> None:
    asyncio.run(cloud(plane, pki, alias="").artifact_url(component_arn("app", "1.0.0"), "a.zip"))

    assert "authorization" not in plane.requests[-1][2]


def test_credentials_are_asked_for_with_the_things_name_and_kept_until_shortly_before_their_end(
    plane: Plane, pki: Pki
) -> None:
    async def scenario() -> None:
        clock = FakeClock()
        credentials = provider(plane, pki, clock)
        first = await credentials.get()
        await credentials.get()
        assert len(plane.requests) == 1
        assert plane.requests[0][2]["x-amzn-iot-thingname"] == "site-1"
        clock.value = first.expires_at - 299
        await credentials.get()
        assert len(plane.requests) == 2
        assert first.secret_access_key not in repr(first)

    asyncio.run(scenario())


def test_a_refusal_of_credentials_is_remembered_a_while(plane: Plane, pki: Pki) -> None:
    async def scenario() -> None:
        clock = FakeClock()
        credentials = provider(plane, pki, clock)
        plane.down = True
        for _ in range(2):
            with pytest.raises(CredentialsRefused, match="503 down"):
                await credentials.get()
        assert len(plane.requests) == 1
        clock.advance(61)
        plane.down = False
        assert (await credentials.get()).access_key_id == "ASIA"

    asyncio.run(scenario())


def test_a_server_of_another_ca_gets_nothing(plane: Plane, pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("ca") / "other.pem"
    other.write_bytes(Authority.make("other").pem)
    credentials = CredentialProvider(
        endpoint=Endpoint("localhost", plane.port),
        role_alias="Role",
        thing_name="site-1",
        context=lambda: tls.mutual(root_ca=other, certificate=pki.claim[0], private_key=pki.claim[1]),
        clock=FakeClock(),
        root_ca=str(other),
    )

    with pytest.raises(WrongCa, match="check rootCaPath"):
        asyncio.run(credentials.get())
    assert plane.requests == []
