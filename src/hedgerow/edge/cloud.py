"""The device's calls to the Greengrass data plane: its groups, the component versions that fit, where artifacts are.

Calls with the device's certificate are not signed; the address of an artifact is asked for with a signature under the
role alias' credentials when there are any. Spec: Greengrass V2, data plane calls of the nucleus.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, Final
from urllib.parse import quote, urlencode

from hedgerow.base.clock import Clock
from hedgerow.edge.configuration import Endpoint
from hedgerow.edge.credentials import CredentialProvider
from hedgerow.edge.https import Answered, ask
from hedgerow.edge.trouble import Trouble

_MOST_PAGES: Final = 100


class CloudRefused(Trouble):
    """The cloud answered with an error that asking again does not change."""

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message, permanent=True)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The version that the cloud chose for a component, and its recipe."""

    name: str
    version: str
    arn: str
    recipe_text: str


class Cloud:
    """The data plane as this device sees it. Errors: CloudRefused for 4xx, Trouble for everything that may pass."""

    def __init__(
        self,
        *,
        data_plane: Endpoint,
        region: str,
        thing_name: str,
        mutual: Callable[[], SSLContext],
        trusting: Callable[[], SSLContext],
        credentials: CredentialProvider,
        clock: Clock,
        s3_endpoint_type: str = "GLOBAL",
        root_ca: str = "",
        certificate: str = "",
    ) -> None:
        self._data_plane = data_plane
        self._region = region
        self._thing_name = thing_name
        self._mutual = mutual
        self._trusting = trusting
        self._credentials = credentials
        self._clock = clock
        self._s3_endpoint_type = s3_endpoint_type
        self._root_ca = root_ca
        self._certificate = certificate

    async def thing_groups(self) -> set[str]:
        """Answer the names of the groups that this thing is in, and of those above them."""
        names: set[str] = set()
        path = f"/greengrass/v2/coreDevices/{quote(self._thing_name, safe='')}/thingGroups"
        token: str | None = None
        for _ in range(_MOST_PAGES):
            target = f"{path}?{urlencode({'nextToken': token})}" if token else path
            document = await self._called("GET", target)
            for group in document.get("thingGroups") or []:
                names.add(str(group.get("thingGroupName")))
                names.update(str(one.get("thingGroupName")) for one in group.get("rootToParentThingGroups") or [])
            token = document.get("nextToken")
            if not token:
                break
        return names

    async def resolve(
        self, name: str, requirements: Mapping[str, str], attributes: Mapping[str, str], *, known: str | None = None
    ) -> Resolved:
        """Answer the version of a component that meets the requirements on this platform, with its recipe."""
        candidate: dict[str, Any] = {"componentName": name, "versionRequirements": dict(requirements)}
        if known is not None:
            candidate["componentVersion"] = known
        body = {"platform": {"attributes": dict(attributes)}, "componentCandidates": [candidate]}
        document = await self._called("POST", "/greengrass/v2/resolveComponentCandidates", body)
        found = document.get("resolvedComponentVersions") or []
        try:
            one = found[0]
            recipe = base64.b64decode(one["recipe"], validate=True).decode("utf-8")
            return Resolved(
                name=one["componentName"], version=one["componentVersion"], arn=one["arn"], recipe_text=recipe
            )
        except (IndexError, KeyError, TypeError, binascii.Error, UnicodeDecodeError) as error:
            raise CloudRefused(
                f"the cloud's answer about {name} has not the form that it should have", status=200, code="BadResponse"
            ) from error

    async def artifact_url(self, component_arn: str, artifact: str) -> str:
        """Answer the presigned URL of a `greengrass:` artifact."""
        target = (
            f"/greengrass/v2/components/{quote(component_arn, safe='')}/artifacts/{quote(artifact, safe='/')}"
            f"?{urlencode({'s3EndpointType': self._s3_endpoint_type})}"
        )
        document = await (self._signed(target) if self._credentials.configured else self._called("GET", target))
        url = document.get("preSignedUrl")
        if not isinstance(url, str):
            raise CloudRefused(f"the cloud names no place for the artifact {artifact}", status=200, code="BadResponse")
        return url

    async def _called(self, method: str, target: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"} if data is not None else {}
        answer = await asyncio.to_thread(
            lambda: ask(
                self._data_plane,
                self._mutual(),
                method,
                target,
                headers=headers,
                body=data,
                root_ca=self._root_ca,
                certificate=self._certificate,
            )
        )
        return _checked(answer, target)

    async def _signed(self, target: str) -> dict[str, Any]:
        """Ask with a signature and without the certificate, as any holder of the role's credentials would."""
        credentials = await self._credentials.get()
        endpoint = self._data_plane
        if endpoint.host.endswith(".amazonaws.com"):
            endpoint = Endpoint(f"greengrass.{self._region}.amazonaws.com", 443)

        def call() -> Answered:
            from hedgerow.core.wire.messages import HttpRequest
            from hedgerow.core.wire.sigv4 import sign

            path, _, query = target.partition("?")
            host = endpoint.host if endpoint.port == 443 else str(endpoint)
            headers = {"host": host}
            headers |= sign(
                HttpRequest("GET", path, query, headers),
                access_key_id=credentials.access_key_id,
                secret=credentials.secret_access_key,
                token=credentials.session_token,
                region=self._region,
                service="greengrass",
                now=self._clock.now(),
            )
            return ask(endpoint, self._trusting(), "GET", target, headers=headers, root_ca=self._root_ca)

        return _checked(await asyncio.to_thread(call), target)


def _checked(answer: Answered, target: str) -> dict[str, Any]:
    if answer.status < 300:
        return answer.document()
    text = f"{target.partition('?')[0]}: {answer.status} {answer.error} {answer.message}".strip()
    if answer.status == 429 or answer.status >= 500:
        raise Trouble(text)
    raise CloudRefused(text, status=answer.status, code=answer.error)
