"""The lambda service over a store in memory, with workers that the test answers for."""

import hashlib
import io
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager
from hedgerow.core.request import Request
from hedgerow.services.lambda_.aliases import AliasOperations, AliasStore
from hedgerow.services.lambda_.functions import FunctionOperations, FunctionReader, Invoked, LambdaFlows, Version
from hedgerow.services.lambda_.permissions import PermissionOperations, PermissionStore
from hedgerow.store import Blob, FollowUp, Tx
from hedgerow.store.follow_ups import due_of_key, heads
from hedgerow.store.guard import forbid_in_transaction
from tests.support.clock import FakeIds
from tests.support.store import CALLER, MemoryRun, MemoryStore

REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/lambda"


def package(text: str = "def handler(event, context): return event\n") -> bytes:
    """Make a zip with one module."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), text)
    return buffer.getvalue()


@dataclass
class FakeWorkers:
    """Answers invocations from `answers` (outcomes or errors), else echoes."""

    answers: list[Invoked | Exception] = field(default_factory=list)
    calls: list[tuple[str, bytes, str, bytes | None]] = field(default_factory=list)
    problem: str | None = None
    hint: str = ""

    async def check_package(self, data: bytes) -> str | None:
        forbid_in_transaction("check_package")
        return self.problem if data[:2] == b"PK" else "not a zip"

    async def refusal(self, runtime: str) -> str:
        return self.hint

    async def invoke(
        self, version: Version, payload: bytes, *, request_id: str, invoked_arn: str, client_context: bytes | None
    ) -> Invoked:
        forbid_in_transaction("invoke")
        self.calls.append((version.version, payload, invoked_arn, client_context))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer or Invoked(payload=payload, request_id=request_id, version=version.version, log_tail=b"log\n")


class FakeBlobs:
    """Blobs in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    async def put(self, account: str, data: bytes) -> Blob:
        forbid_in_transaction("put")
        digest = hashlib.sha256(data).hexdigest()
        self.kept[account, digest] = data
        return Blob(digest, len(data))


class FakeObjects:
    """Objects in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str, str], bytes] = {}

    async def read(self, account: str, bucket: str, key: str) -> bytes | None:
        forbid_in_transaction("read")
        return self.kept.get((account, bucket, key))


class FakeLinks:
    async def code_url(self, version: Version) -> str:
        return f"https://code/{version.code.digest}"


class FakeRoles:
    """One role is trusted."""

    def assumable(self, tx: Tx, account: str, role_arn: str, service: str, source: str) -> bool:
        return role_arn == f"arn:aws:iam::{account}:role/lambda" and service == "lambda.amazonaws.com"


class Lambda:
    """Everything of the service, put together as the cloud does it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.run = MemoryRun(self.store)
        self.workers, self.blobs, self.objects = FakeWorkers(), FakeBlobs(), FakeObjects()
        ids, pager = FakeIds(), Pager(b"key")
        aliases, permissions = AliasStore(), PermissionStore()
        self.reader = FunctionReader(aliases=aliases, region=REGION)
        self.functions = FunctionOperations(
            ids=ids, pager=pager, reader=self.reader, roles=FakeRoles(), dependents=(aliases, permissions)
        )
        self.aliases = AliasOperations(ids=ids, pager=pager, functions=self.reader)
        self.permissions = PermissionOperations(functions=self.reader)
        self.flows = LambdaFlows(
            run=self.run,
            ids=ids,
            region=REGION,
            operations=self.functions,
            reader=self.reader,
            permissions=self.permissions,
            workers=self.workers,
            blobs=self.blobs,
            objects=self.objects,
            links=FakeLinks(),
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

    async def create(self, name: str = "f", caller: Caller = CALLER, **changes: Any) -> Mapping[str, Any]:
        values = {
            "FunctionName": name,
            "Runtime": "python3.11",
            "Role": f"arn:aws:iam::{caller.account}:role/lambda",
            "Handler": "app.handler",
            "Code": {"ZipFile": package()},
            **changes,
        }
        return await self.flow(self.flows.create_function, values, caller)

    def waiting(self, *, after_s: float = 1e9) -> list[FollowUp]:
        """Answer the queued events that are due within this time."""
        with self.store.tx() as tx:
            now = tx.now + after_s
            found = heads(tx, "lambda-event", now=now, limit=100)
            return [row for head in found for row in due_of_key(tx, head.row, now=now, limit=100)]
