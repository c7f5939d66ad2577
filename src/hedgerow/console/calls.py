"""Calls to a cloud's API with one person's credentials. Failures come out as the errors of `errors.py`.

Every call blocks, with a deadline. Leaves to others: which operations, and what becomes of the answers.
"""

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from hedgerow.console.errors import CloudUnreachable, NotThere, Refused, SessionOver
from hedgerow.console.model import Credentials

_MISSING: Final = ("ResourceNotFoundException", "NotFoundException", "NoSuchEntity", "404")
_OVER: Final = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException")


class Cloud:
    """Where the cloud is. Makes boto3 clients, for a person or for nobody."""

    def __init__(self, *, api_url: str, region: str, ca_file: str | None, models: Path | None) -> None:
        self.api_url = api_url.rstrip("/")
        self.region = region
        self.ca_file = ca_file
        self._models = models
        self._anonymous: Any = None
        self._lock = threading.Lock()

    def session(self, credentials: Credentials | None) -> Any:
        """Answer a boto3 session that knows the service `hedgerow`."""
        import boto3.session
        import botocore.session

        core = botocore.session.Session()
        if self._models is not None:
            core.get_component("data_loader").search_paths.append(str(self._models))
        if credentials is None:
            return boto3.session.Session(botocore_session=core, region_name=self.region)
        return boto3.session.Session(
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            region_name=self.region,
            botocore_session=core,
        )

    def client(self, session: Any, service: str, *, signed: bool = True) -> Any:
        """Answer a client with deadlines."""
        from botocore import UNSIGNED
        from botocore.config import Config

        config = Config(
            connect_timeout=3,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=4,
            **({} if signed else {"signature_version": UNSIGNED}),
        )
        verify = self.ca_file if self.api_url.startswith("https:") else None
        return session.client(service, endpoint_url=self.api_url, verify=verify, config=config)

    def redeem(self, token: str) -> Credentials:
        """Trade a sign-in token for credentials; raises NotThere when it is not valid any more."""
        with self._lock:
            if self._anonymous is None:
                self._anonymous = self.client(self.session(None), "hedgerow", signed=False)
        answer = called(self._anonymous.redeem_console_sign_in, self.api_url, token=token)
        return Credentials(
            account=answer["accountId"],
            principal=answer.get("principal", ""),
            access_key_id=answer["accessKeyId"],
            secret_access_key=answer["secretAccessKey"],
            session_token=answer["sessionToken"],
            expires_at=seconds(answer["expiresAt"]) or 0.0,
        )


class Calls:
    """The calls of one signed-in person. May be used from several threads at once."""

    def __init__(self, cloud: Cloud, credentials: Credentials) -> None:
        self._cloud = cloud
        self._credentials = credentials
        self._session: Any = None
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def _client(self, service: str) -> Any:
        with self._lock:
            if self._session is None:
                self._session = self._cloud.session(self._credentials)
            if service not in self._clients:
                self._clients[service] = self._cloud.client(self._session, service)
            return self._clients[service]

    def call(self, service: str, operation: str, **given: Any) -> Any:
        """Answer an operation's answer."""
        return called(getattr(self._client(service), operation), self._cloud.api_url, **given)

    def pages(self, service: str, operation: str, member: str, **given: Any) -> Iterator[Any]:
        """Answer the entries of all pages of a list, page by page."""
        token = next(
            (name for name in ("nextToken", "NextToken") if _answers(self._client(service), operation, name)), ""
        )
        while True:
            answer = self.call(service, operation, **given)
            yield from answer.get(member, ())
            if not token or not answer.get(token):
                return
            given[token] = answer[token]


def _answers(client: Any, operation: str, member: str) -> bool:
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    return member in model.output_shape.members


def called(method: Any, api_url: str, **given: Any) -> Any:
    """Answer what a client's method answers."""
    from botocore import exceptions

    try:
        return method(**given)
    except exceptions.ClientError as error:
        code, words = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", str(error))
        if code in _MISSING:
            raise NotThere(words) from error
        if code in _OVER:
            raise SessionOver(words) from error
        raise Refused(words or code) from error
    except exceptions.SSLError as error:
        raise CloudUnreachable(f"The cloud's API at {api_url} shows no certificate that is trusted here.") from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        raise CloudUnreachable(f"The cloud's API at {api_url} cannot be reached.") from error
    except exceptions.BotoCoreError as error:
        raise Refused(str(error)) from error


def seconds(at: Any) -> float | None:
    """Answer a moment in seconds, however it was told."""
    if isinstance(at, datetime):
        return at.timestamp()
    if not isinstance(at, int | float):
        return None
    return at / 1000 if at > 1e11 else float(at)  # some operations tell milliseconds
