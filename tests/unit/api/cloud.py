"""A served API with toy operations, a toy directory and no database, for real clients of the AWS SDKs."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import uvloop

from hedgerow.api import OWN_MODELS, AccessKey, ApiApp, ModelFiles, Pipeline, Row, botocore_models
from hedgerow.api.ports import Doorkeeper
from hedgerow.api.server import serve
from hedgerow.base.clock import SystemClock
from hedgerow.base.errors import ServiceError
from hedgerow.base.ids import RandomIds
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.policy import Context
from hedgerow.core.wire import Catalogue
from hedgerow.store import Answer, Tx

REGION = "eu-central-1"
ACCOUNT = "123456789012"
KEY_ID = "AKIDEXAMPLE"
SECRET = "secret/of+the=example"
LIMITED_ID = "AKIDLIMITED"
T = TypeVar("T")

CATALOGUE = Catalogue(ModelFiles([OWN_MODELS, botocore_models()]))


@dataclass(frozen=True)
class ToyDecision:
    allowed: bool

    def explain(self) -> str:
        return "no identity-based policy allows it"


@dataclass(frozen=True)
class ToyGrants:
    actions: frozenset[str] | None

    @property
    def context_keys(self) -> frozenset[str]:
        return frozenset()

    def decide(self, action: str, resource: str, context: Context) -> ToyDecision:
        return ToyDecision(self.actions is None or f"{action} {resource}" in self.actions)


@dataclass
class ToyDirectory:
    """Two keys: root's, and one that may do nothing but what `allowed` holds."""

    keys: dict[str, AccessKey] = field(default_factory=dict)
    allowed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        root = AccessKey(account=ACCOUNT, principal=f"arn:aws:iam::{ACCOUNT}:root", kind=Kind.ROOT, secret=SECRET)
        self.keys[KEY_ID] = root
        self.keys[LIMITED_ID] = replace(root, principal=f"arn:aws:iam::{ACCOUNT}:user/limited", kind=Kind.USER)

    async def access_key(self, access_key_id: str) -> AccessKey | None:
        return self.keys.get(access_key_id)

    async def grants(self, caller: Caller) -> ToyGrants:
        return ToyGrants(None if caller.kind is Kind.ROOT else frozenset(self.allowed))

    async def whole_arn(self, resource: str) -> str:
        return resource.replace(":role/lost", ":role/deep/lost")

    async def facts_of(self, account: str, resource: str) -> Context:
        raise AssertionError("nobody looks at resources here")

    async def certificate(self, der: bytes, server_name: str | None, source_ip: str | None) -> Caller:
        if not der:
            raise ServiceError("no certificate")
        return Caller(
            account=ACCOUNT,
            region=REGION,
            principal=f"arn:aws:iot:{REGION}:{ACCOUNT}:cert/{server_name}",
            kind=Kind.ROOT,
            request_id="",
            source_ip=source_ip,
        )


class ToyRunner:
    """Runs operations at once, without a transaction; remembers what was kept."""

    def __init__(self) -> None:
        self.kept: list[Mapping[str, Any]] = []

    async def write(self, operation: Callable[[Tx], Answer], *, lane: str = "") -> Answer:
        answer = operation(cast("Tx", None))
        self.kept.append(answer.response)
        return answer

    async def read(self, query: Callable[[Tx], T]) -> T:
        return query(cast("Tx", None))


@dataclass
class ToyCloud:
    app: ApiApp
    directory: ToyDirectory
    runner: ToyRunner
    pipeline: Pipeline
    url: str = ""


def toy_cloud(rows: Mapping[tuple[str, str], Row], *, doorkeeper: Doorkeeper | None = None, **app: Any) -> ToyCloud:
    directory, runner = ToyDirectory(), ToyRunner()
    pipeline = Pipeline(
        catalogue=CATALOGUE,
        operations=rows,
        directory=directory,
        runner=runner,
        clock=SystemClock(),
        ids=RandomIds(),
        region=REGION,
        doorkeeper=doorkeeper,
    )
    return ToyCloud(ApiApp(pipeline, ids=RandomIds(), **app), directory, runner, pipeline)


@contextmanager
def served(cloud: ToyCloud, *, loop: Callable[[], Any] = uvloop.new_event_loop, **options: Any) -> Iterator[ToyCloud]:
    """Serve the application on a loop in a thread of its own."""
    ready: Any = threading.Event()
    stop: list[Callable[[], object]] = []

    async def main() -> None:
        done = asyncio.Event()
        running = asyncio.get_running_loop()
        stop.append(lambda: running.call_soon_threadsafe(done.set))
        async with serve(cloud.app, **options) as listening:
            scheme = "https" if options.get("tls") else "http"
            cloud.url = f"{scheme}://localhost:{listening.port}"
            ready.set()
            await done.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(main())

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    try:
        yield cloud
    finally:
        stop[0]()
        thread.join(15)
        assert not thread.is_alive()
