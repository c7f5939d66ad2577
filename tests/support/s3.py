"""The s3 service over a store in memory and blobs in a folder."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from hedgerow.base.files import RealFiles
from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager
from hedgerow.core.request import Request
from hedgerow.services.s3.buckets import BucketOperations
from hedgerow.services.s3.objects import BodyChecksums, ObjectFlows, ObjectOperations, ObjectStore
from hedgerow.services.s3.uploads import UploadFlows, UploadOperations
from hedgerow.store import Blobs
from tests.support.clock import FakeIds
from tests.support.store import CALLER, MemoryRun, MemoryStore

REGION = "eu-central-1"


class FakeSigners:
    async def signing_key(self, account: str) -> tuple[str, str]:
        return "AKIAEXAMPLE", "secret"

    def endpoint(self) -> str:
        return "http://localhost:8080"


class S3:
    """Everything of the service, put together as the cloud does it."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore()
        self.run = MemoryRun(self.store)
        pager = Pager(b"key")
        self.blobs = Blobs(folder, RealFiles(), self.store.clock, FakeIds())
        self.buckets = BucketOperations(region=REGION, pager=pager, contents=ObjectStore())
        self.objects = ObjectOperations(buckets=self.buckets, pager=pager)
        self.flows = ObjectFlows(
            run=self.run,
            blobs=self.blobs,
            operations=self.objects,
            buckets=self.buckets,
            signers=FakeSigners(),
            clock=self.store.clock,
            region=REGION,
        )

        self.uploads = UploadOperations(ids=FakeIds(), buckets=self.buckets, objects=self.objects)
        self.upload_flows = UploadFlows(
            run=self.run, blobs=self.blobs, operations=self.uploads, checksums=BodyChecksums()
        )

    async def flow(
        self,
        flow: Callable[[Request, Caller], Awaitable[Mapping[str, Any]]],
        request: Mapping[str, Any],
        caller: Caller = CALLER,
    ) -> Mapping[str, Any]:
        """Run a flow as the pipeline does; fails when a member was not read."""
        recorded = Request(request)
        answer = await flow(recorded, caller)
        assert recorded.unread() == []
        return answer

    def bucket(self, name: str = "bucket", caller: Caller = CALLER, **more: Any) -> Mapping[str, Any]:
        return self.store.run(self.buckets.create_bucket, {"Bucket": name, **more}, caller).response

    async def put(self, key: str, body: bytes = b"", caller: Caller = CALLER, **more: Any) -> Mapping[str, Any]:
        request = {"Bucket": "bucket", "Key": key, "Body": body, **more}
        return await self.flow(self.flows.put_object, request, caller)

    async def get(self, key: str, caller: Caller = CALLER, **more: Any) -> Mapping[str, Any]:
        return await self.flow(self.flows.get_object, {"Bucket": "bucket", "Key": key, **more}, caller)

    def head(self, key: str, **more: Any) -> Mapping[str, Any]:
        return self.store.run(self.objects.head_object, {"Bucket": "bucket", "Key": key, **more}).response


async def whole(body: bytes | AsyncIterator[bytes]) -> bytes:
    """Answer a body that may come in pieces."""
    return body if isinstance(body, bytes) else b"".join([piece async for piece in body])
