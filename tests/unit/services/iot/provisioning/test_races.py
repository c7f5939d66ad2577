"""Enrolment over a real runner, on both databases: many at once, and what the dispatcher does later."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hedgerow.base.ids import RandomIds
from hedgerow.core.events import Event
from hedgerow.core.topics import TopicRequest
from hedgerow.services.iot.claims.model import Claim, Kind
from hedgerow.services.iot.provisioning import UNCLAIMED
from hedgerow.store import Answer, Dispatcher, Runner, Tx, metadata, open_engine
from tests.support.postgres import postgresql_schema
from tests.support.registry import Registry
from tests.support.store import CALLER
from tests.unit.core.template.templates import template
from tests.unit.services.iot.provisioning.bench import CLAIM, ROLE, Bench

CLONES = 12
MANY = 64
THING = {"ThingName": {"Ref": "ThingName"}}


def no_one(events: Sequence[Event]) -> None:
    """Hears events."""


@pytest.fixture(params=["disk", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the database is."""
    if request.param == "disk":
        yield str(tmp_path / "cloud.db")
        return
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    with postgresql_schema(shared, f"races_{RandomIds().hex(16)}") as url:
        yield url


@asynccontextmanager
async def running(target: str) -> AsyncIterator[tuple[Bench, Runner]]:
    """Give provisioning over a runner of its own."""
    engine = open_engine(target)
    metadata.create_all(engine)
    registry = Registry()
    async with Runner(engine, registry.store.clock, no_one) as run:
        yield Bench(registry, run=run), run


async def ask(flow: Any, topic: str, body: dict[str, Any]) -> dict[str, Any]:
    parts = (topic.split("/")[2],) if "provisioning-templates" in topic else ()
    request = TopicRequest(topic=topic, parts=parts, payload=json.dumps(body).encode())
    ((_, reply),) = (await flow(request, CLAIM))["replies"]
    return dict(json.loads(reply))


async def make_template(bench: Bench, run: Runner) -> None:
    request = {
        "templateName": "fleet",
        "templateBody": template(THING),
        "enabled": True,
        "provisioningRoleArn": ROLE,
    }
    await run.write(lambda tx: bench.templates.create_provisioning_template(tx, bench.request(request), CALLER))


async def enrol(bench: Bench, name: str) -> dict[str, Any]:
    """Ask for a certificate and be provisioned; answer the last reply."""
    got = await ask(bench.flows.create, "$aws/certificates/create/json", {})
    if "certificateOwnershipToken" not in got:
        return got
    body = {"certificateOwnershipToken": got["certificateOwnershipToken"], "parameters": {"ThingName": name}}
    return await ask(bench.flows.provision, "$aws/provisioning-templates/fleet/provision/json", body)


@pytest.mark.spec("BS-41")
def test_of_many_clones_that_enrol_at_once_one_gets_the_name(target: str) -> None:
    async def story() -> tuple[list[dict[str, Any]], int]:
        async with running(target) as (bench, run):
            await make_template(bench, run)
            answers = await asyncio.gather(*(enrol(bench, "branch-017") for _ in range(CLONES)))
            links = await run.read(
                lambda tx: bench.registry.thing_store.principals_of(tx, CALLER.account, "branch-017")
            )
            return answers, len(links)

    answers, attached = asyncio.run(story())

    accepted = [answer for answer in answers if "thingName" in answer]
    refused = [answer["errorMessage"] for answer in answers if "thingName" not in answer]
    assert (len(accepted), attached) == (1, 1)
    assert len(refused) == CLONES - 1
    assert all("already exists" in message for message in refused)


@pytest.mark.spec("AL-51")
def test_of_many_devices_at_once_a_claim_provisions_as_many_as_it_may(target: str) -> None:
    claim = Claim(certificate_id="c1" * 32, kind=Kind.REGISTERED, devices=3, created_at=0.0)

    async def story() -> tuple[list[dict[str, Any]], int]:
        async with running(target) as (bench, run):
            await make_template(bench, run)

            def put(tx: Tx) -> Answer:
                bench.registry.claim_store.put(tx, CALLER.account, claim)
                return Answer()

            await run.write(put)
            answers = await asyncio.gather(*(enrol(bench, f"branch-{number}") for number in range(CLONES)))
            after = await run.read(lambda tx: bench.registry.claim_store.get(tx, CALLER.account, "c1" * 32))
            assert after is not None
            return answers, after.used

    answers, used = asyncio.run(story())

    accepted = [answer["thingName"] for answer in answers if "thingName" in answer]
    refused = [answer["errorCode"] for answer in answers if "thingName" not in answer]
    assert (len(accepted), used) == (3, 3)
    assert refused == ["AccessDenied"] * (CLONES - 3)


@pytest.mark.spec("BS-01")
def test_many_devices_at_once_all_come_in(target: str) -> None:
    async def story() -> list[str | None]:
        async with running(target) as (bench, run):
            await make_template(bench, run)
            names = [f"branch-{number}" for number in range(MANY)]
            came = await asyncio.gather(*(enrol(bench, name) for name in names))
            assert run.statistics().retries == 0
            return [answer.get("thingName") for answer in came]

    assert asyncio.run(story()) == [f"branch-{number}" for number in range(MANY)]


def test_the_dispatcher_deletes_a_certificate_that_nobody_claimed(target: str) -> None:
    async def story() -> None:
        async with running(target) as (bench, run):
            got = await ask(bench.flows.create, "$aws/certificates/create/json", {})
            certificates = bench.registry.certificate_store

            async def there() -> bool:
                return await run.read(lambda tx: certificates.exists(tx, CALLER.account, got["certificateId"]))

            assert await there()
            bench.store.clock.advance(3601)
            handlers = {UNCLAIMED: bench.follow_ups.on_unclaimed}
            async with asyncio.timeout(10), Dispatcher(run, handlers, bench.store.clock):
                while await there():
                    pass

    asyncio.run(story())
