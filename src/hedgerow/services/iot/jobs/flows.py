"""What is fetched and asked before a job or a job template is made.

The document that `documentSource` names is read once, with the rights of the caller; what becomes of the object later
changes nothing. A role that comes with a template, or with the job that a template is made from, is one that the caller
must be allowed to pass, like one that the request names itself.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from hedgerow.base.errors import AccessDenied, ServiceError
from hedgerow.core.caller import Caller
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.jobs.documents import SOURCED, Documents
from hedgerow.services.iot.jobs.template_operations import PASSED, Templates
from hedgerow.store import Run

SERVICE: Final = "iot.amazonaws.com"
LARGEST: Final = 4 * 98_304
"""Bytes; whether the document is short enough is decided when it is read."""


class Objects(Protocol):
    """S3, as the caller sees it."""

    async def read(self, caller: Caller, bucket: str, key: str, *, most: int) -> bytes | None:
        """Answer an object's bytes; None when there is none, or it is larger. Raises what S3 and IAM object to."""
        ...


class Rights(Protocol):
    """What the caller may."""

    async def pass_role(self, caller: Caller, role_arn: str, *, to: str) -> None:
        """Raise AccessDenied unless the caller may hand the role to the service."""
        ...


class JobSources:
    """Fetches documents, and asks about roles."""

    def __init__(
        self, *, run: Run, documents: Documents, templates: Templates, objects: Objects, rights: Rights
    ) -> None:
        self._run = run
        self._documents = documents
        self._templates = templates
        self._objects = objects
        self._rights = rights

    async def gather(self, request: Mapping[str, Any], caller: Caller) -> Mapping[str, Any]:
        """Answer the document that `documentSource` names, and the role that comes along, as SOURCED and PASSED."""
        return {**await self._passed(request, caller), **await self._sourced(request, caller)}

    async def _passed(self, request: Mapping[str, Any], caller: Caller) -> Mapping[str, Any]:
        if not ("jobTemplateArn" in request or "jobArn" in request):
            return {}
        role = await self._run.read(lambda tx: self._templates.role_of(tx, caller, request))
        if role is None:
            return {}
        await self._rights.pass_role(caller, role, to=SERVICE)
        return {PASSED: role}

    async def _sourced(self, request: Mapping[str, Any], caller: Caller) -> Mapping[str, Any]:
        url = request.get("documentSource")
        if url is None:
            return {}
        bucket, key = self._documents.object_of(url)
        try:
            data = await self._objects.read(caller, bucket, key, most=LARGEST)
        except AccessDenied:
            raise
        except ServiceError as error:
            raise InvalidRequest(f"The documentSource {url} cannot be read: {error.message}") from error
        if data is None:
            raise InvalidRequest(f"The documentSource {url} cannot be read: no such object, or it is too large.")
        try:
            return {SOURCED: data.decode("utf-8")}
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"The documentSource {url} is no text in UTF-8.") from error
