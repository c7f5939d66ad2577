"""The local credential server, asked as boto3 asks."""

import asyncio
import json
import urllib.request
from typing import Any, cast
from urllib.error import HTTPError

import pytest

from hedgerow.edge.credentials import CredentialProvider, Credentials, CredentialsRefused
from hedgerow.edge.ipc.credential_server import CredentialServer
from hedgerow.edge.trouble import Trouble


class FakeProvider:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def get(self) -> Credentials:
        if self.error is not None:
            raise self.error
        return Credentials(
            access_key_id="ASIA",
            secret_access_key="secret",
            session_token="token",
            expiration="2099-01-01T00:00:00Z",
            expires_at=4e9,
        )


def asked(
    error: Exception | None = None, *, token: str | None = "TOKEN", path: str = "", method: str = "GET"
) -> tuple[int, Any]:
    def component_of(given: str) -> str | None:
        return "app" if given == "TOKEN" else None

    def ask(url: str) -> tuple[int, Any]:
        headers = {} if token is None else {"Authorization": token}
        request = urllib.request.Request(url + path, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as refusal:
            with refusal:
                return refusal.code, json.loads(refusal.read())

    async def scenario() -> tuple[int, Any]:
        provider = cast("CredentialProvider", FakeProvider(error))
        async with CredentialServer(credentials=provider, component_of=component_of).listening() as url:
            return await asyncio.to_thread(ask, url)

    return asyncio.run(scenario())


def test_a_component_gets_credentials_in_the_form_that_the_sdks_read() -> None:
    assert asked() == (
        200,
        {
            "AccessKeyId": "ASIA",
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": "2099-01-01T00:00:00Z",
        },
    )


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"token": None}, 400), ({"token": "WRONG"}, 403), ({"path": "x"}, 404), ({"method": "POST"}, 405)],
)
def test_who_asks_wrongly_gets_none(changes: dict[str, Any], status: int) -> None:
    assert asked(**changes)[0] == status


@pytest.mark.parametrize(
    ("error", "status"),
    [(CredentialsRefused("no", 403), 403), (CredentialsRefused("down", 503), 500), (Trouble("away"), 504)],
)
def test_what_the_cloud_says_is_handed_on(error: Exception, status: int) -> None:
    assert asked(error) == (status, {"message": str(error)})
