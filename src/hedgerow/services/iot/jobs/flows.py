"""What is fetched before a job or a job template is made: the document that `documentSource` names.

It is read once, with the rights of the caller; what becomes of the object later changes nothing.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from hedgerow.base.errors import AccessDenied, ServiceError
from hedgerow.core.caller import Caller
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.jobs.documents import SOURCED, Documents

LARGEST: Final = 4 * 98_304
"""Bytes; whether the document is short enough is decided when it is read."""


class Objects(Protocol):
    """S3, as the caller sees it."""

    async def read(self, caller: Caller, bucket: str, key: str, *, most: int) -> bytes | None:
        """Answer an object's bytes; None when there is none, or it is larger. Raises what S3 and IAM object to."""
        ...


class JobSources:
    """Fetches documents."""

    def __init__(self, *, documents: Documents, objects: Objects) -> None:
        self._documents = documents
        self._objects = objects

    async def gather(self, request: Mapping[str, Any], caller: Caller) -> Mapping[str, Any]:
        """Answer the document that the request's `documentSource` names, as the member SOURCED."""
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
