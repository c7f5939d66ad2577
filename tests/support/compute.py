"""S3 and Lambda behind the real API on a loop in a thread of its own, with real workers, for real clients."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from hedgerow.api import Pipeline
from hedgerow.api.app import ApiApp
from hedgerow.api.operations import read
from hedgerow.api.server import serve
from hedgerow.base.clock import SystemClock
from hedgerow.base.files import RealFiles
from hedgerow.base.ids import RandomIds
from hedgerow.cloud.operations import lambda_ as lambda_rows
from hedgerow.cloud.operations import s3 as s3_rows
from hedgerow.cloud.workers import CloudWorkers
from hedgerow.core.paging import Pager
from hedgerow.functions import Grant, ProcessDriver
from hedgerow.services.lambda_.aliases import AliasOperations, AliasStore
from hedgerow.services.lambda_.functions import FunctionOperations, FunctionReader, LambdaFlows, Version
from hedgerow.services.lambda_.permissions import PermissionOperations, PermissionStore
from hedgerow.services.logs.groups import LogOperations
from hedgerow.services.s3.buckets import BucketOperations
from hedgerow.services.s3.objects import BodyChecksums, ObjectFlows, ObjectOperations, ObjectStore
from hedgerow.services.s3.uploads import UploadFlows, UploadOperations
from hedgerow.store import Blobs, Dispatcher, Runner, metadata, open_engine
from tests.support.lambda_ import FakeRoles
from tests.unit.api.cloud import CATALOGUE, KEY_ID, REGION, SECRET, ToyDirectory


@dataclass
class Compute:
    """The running cloud as a test sees it."""

    url: str = ""
    directory: ToyDirectory = field(default_factory=ToyDirectory)

    def client(self, service: str, **options: Any) -> Any:
        """Answer a client of the AWS SDK."""
        sdk: Any = boto3
        return sdk.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, **options),
        )

    async def signing_key(self, account: str) -> tuple[str, str]:
        return KEY_ID, SECRET

    def endpoint(self) -> str:
        return self.url


class Links:
    def __init__(self, objects: ObjectFlows) -> None:
        self._objects = objects

    async def code_url(self, version: Version) -> str:
        return await self._objects.link_to_blob(version.account, version.code.digest, version.code.size, "f.zip")


async def _build(compute: Compute, folder: Path, stack: AsyncExitStack) -> ApiApp:
    clock, ids, pager = SystemClock(), RandomIds(), Pager(b"key")
    engine = open_engine(folder / "cloud.db")
    stack.callback(engine.dispose)
    metadata.create_all(engine)
    runner = await stack.enter_async_context(Runner(engine, clock, lambda events: None))
    logs = LogOperations(pager=pager)
    blobs = Blobs(folder / "blobs", RealFiles(), clock, ids)
    buckets = BucketOperations(region=REGION, pager=pager, contents=ObjectStore())
    objects = ObjectOperations(buckets=buckets, pager=pager)
    object_flows = ObjectFlows(
        run=runner, blobs=blobs, operations=objects, buckets=buckets, signers=compute, clock=clock, region=REGION
    )

    uploads = UploadOperations(ids=ids, buckets=buckets, objects=objects)
    upload_flows = UploadFlows(run=runner, blobs=blobs, operations=uploads, checksums=BodyChecksums())

    async def grant(account: str, role: str, session: str, function_arn: str) -> Grant:
        keys = {"AWS_ENDPOINT_URL": compute.url, "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
        return Grant(environment=keys)

    workers = CloudWorkers(
        folder=folder / "functions",
        run=runner,
        files=blobs,
        logs=logs,
        grant_for=grant,
        driver=ProcessDriver(handles=folder / "handles"),
        clock=clock,
        ids=ids,
    )
    await stack.enter_async_context(workers)
    aliases, permission_rows = AliasStore(), PermissionStore()
    reader = FunctionReader(aliases=aliases, region=REGION)
    functions = FunctionOperations(
        ids=ids, pager=pager, reader=reader, roles=FakeRoles(), dependents=(aliases, permission_rows)
    )
    permissions = PermissionOperations(functions=reader)
    flows = LambdaFlows(
        run=runner,
        ids=ids,
        region=REGION,
        operations=functions,
        reader=reader,
        permissions=permissions,
        workers=workers,
        blobs=blobs,
        objects=object_flows,
        links=Links(object_flows),
    )
    await stack.enter_async_context(flows)
    later = {**lambda_rows.follow_up_rows(flows=flows), **s3_rows.follow_up_rows(uploads=uploads)}
    await stack.enter_async_context(Dispatcher(runner, later, clock))
    names = AliasOperations(ids=ids, pager=pager, functions=reader)
    table = {
        "lambda": lambda_rows.rows(functions=functions, flows=flows, aliases=names, permissions=permissions),
        "logs": {"FilterLogEvents": read(logs.filter_log_events)},
        "s3": {
            **s3_rows.rows(buckets=buckets, objects=objects, flows=object_flows),
            **s3_rows.upload_rows(uploads=uploads, flows=upload_flows),
        },
    }
    pipeline = Pipeline(
        catalogue=CATALOGUE,
        operations={(service, name): row for service, rows in table.items() for name, row in rows.items()},
        directory=compute.directory,
        runner=runner,
        clock=clock,
        ids=ids,
        region=REGION,
    )
    return ApiApp(pipeline, ids=ids)


@contextmanager
def serving(folder: Path) -> Iterator[Compute]:
    """Serve S3 and Lambda until the end of the block."""
    compute = Compute()
    ready = threading.Event()
    stop: list[Callable[[], object]] = []
    failed: list[BaseException] = []

    async def main() -> None:
        done = asyncio.Event()
        running = asyncio.get_running_loop()
        stop.append(lambda: running.call_soon_threadsafe(done.set))
        async with AsyncExitStack() as stack:
            app = await _build(compute, folder, stack)
            listening = await stack.enter_async_context(serve(app))
            compute.url = f"http://localhost:{listening.port}"
            ready.set()
            await done.wait()

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(20)
    try:
        assert not failed, failed
        yield compute
    finally:
        if stop:
            stop[0]()
        thread.join(20)
    assert not failed, failed
