"""Temporary credentials of the device's role alias, got with its certificate and kept until shortly before their end.

Leaves to others: handing them to components (`ipc/credential_server.py`), signing with them (`cloud.py`).
Spec: AWS IoT Core, "Authorizing direct calls to AWS services using the credential provider".
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from ssl import SSLContext
from typing import Final

from hedgerow.base.clock import Clock
from hedgerow.edge.configuration import Endpoint
from hedgerow.edge.https import Answered, ask
from hedgerow.edge.trouble import Trouble

_EARLY_S: Final = 300
_REFUSED_S: Final = 120.0  # how long an error is answered again without asking
_FAILED_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Keys that end. Never logged."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: str
    expires_at: float

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id}, until {self.expiration})"


class CredentialsRefused(Trouble):
    """The cloud answered, and gave none. `status` is that of its answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, permanent=status < 500)
        self.status = status


class CredentialProvider:
    """One device's credentials. Only one request is under way at a time."""

    def __init__(
        self,
        *,
        endpoint: Endpoint | None,
        role_alias: str,
        thing_name: str,
        context: Callable[[], SSLContext],
        clock: Clock,
        root_ca: str = "",
        certificate: str = "",
    ) -> None:
        self._endpoint = endpoint
        self._role_alias = role_alias
        self._thing_name = thing_name
        self._context = context
        self._clock = clock
        self._root_ca = root_ca
        self._certificate = certificate
        self._turn = asyncio.Lock()
        self._known: Credentials | None = None
        self._refused: tuple[float, Trouble] | None = None

    @property
    def configured(self) -> bool:
        """There is a role alias and a place to ask."""
        return self._endpoint is not None and bool(self._role_alias)

    async def get(self) -> Credentials:
        """Answer credentials that last at least five more minutes; raise Trouble (an error is remembered a while)."""
        async with self._turn:
            now = self._clock.now()
            if self._known is not None and self._known.expires_at - _EARLY_S > now:
                return self._known
            if self._refused is not None and now < self._refused[0]:
                raise self._refused[1]
            try:
                self._known = await asyncio.to_thread(self._fetch)
            except CredentialsRefused as error:
                self._refused = now + (_REFUSED_S if error.status < 500 else _FAILED_S), error
                raise
            self._refused = None
            return self._known

    def _fetch(self) -> Credentials:
        if self._endpoint is None or not self._role_alias:
            raise Trouble("iotRoleAlias and iotCredEndpoint are not configured", permanent=True)
        answer = ask(
            self._endpoint,
            self._context(),
            "GET",
            f"/role-aliases/{self._role_alias}/credentials",
            headers={"x-amzn-iot-thingname": self._thing_name},
            root_ca=self._root_ca,
            certificate=self._certificate,
        )
        if answer.status != 200:
            text = f"no credentials for the role alias {self._role_alias}: {answer.status} {answer.message}"
            raise CredentialsRefused(text, answer.status)
        return _read(answer)


def _read(answer: Answered) -> Credentials:
    values = answer.document().get("credentials")
    try:
        return Credentials(
            access_key_id=values["accessKeyId"],  # type: ignore[index]  # a wrong form raises TypeError
            secret_access_key=values["secretAccessKey"],  # type: ignore[index]  # as above
            session_token=values["sessionToken"],  # type: ignore[index]  # as above
            expiration=values["expiration"],  # type: ignore[index]  # as above
            expires_at=datetime.fromisoformat(values["expiration"].replace("Z", "+00:00")).timestamp(),  # type: ignore[index]  # as above
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Trouble("the credential provider's answer has not the form that it should have") from error
