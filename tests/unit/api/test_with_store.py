"""The pipeline on the real runner and SQLite: a refusal leaves nothing, what comes together shares a commit."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hedgerow.api import Peer, flow, write
from hedgerow.base.clock import SystemClock
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.store import Answer, Runner, Statistics, Tx, metadata
from hedgerow.store.engine import open_engine
from hedgerow.store.tx import follow_ups
from tests.unit.api.cloud import toy_cloud
from tests.unit.api.test_pipeline import signed

pytestmark = pytest.mark.slow


def note(tx: Tx, request: Request, caller: Caller) -> Answer:
    """Write a row, and honour nothing but the name."""
    tx.follow_up("note", account=caller.account, key=request["thingName"], body={})
    return Answer({"thingName": request["thingName"]})


async def called_together(runner: Runner, bodies: list[bytes], *, by_flow: bool) -> list[int]:
    async def noted(request: Request, caller: Caller) -> Mapping[str, Any]:
        name = request["thingName"]
        return (await runner.write(lambda tx: note(tx, Request({"thingName": name}), caller))).response

    cloud = toy_cloud({("iot", "CreateThing"): flow(noted) if by_flow else write(note)})
    cloud.pipeline._runner = runner
    requests = [signed("POST", f"/things/t{index}", body) for index, body in enumerate(bodies)]
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(cloud.pipeline.answer(http, Peer(), "request")) for http in requests]
    return [call.result().status for call in calls]


async def run(path: Path, bodies: list[bytes], *, by_flow: bool = False) -> tuple[list[int], set[str], Statistics]:
    engine = open_engine(path / "cloud.db")
    metadata.create_all(engine)
    async with Runner(engine, SystemClock(), lambda events: None) as runner:
        statuses = await called_together(runner, bodies, by_flow=by_flow)
        kept = await runner.read(lambda tx: {row.key for row in tx.all(select(follow_ups.c.key))})
        return statuses, kept, runner.statistics()


def test_thirty_two_calls_at_once_cost_fewer_than_eight_commits_and_one_refusal_spares_the_others(
    tmp_path: Path,
) -> None:
    bodies = [b'{"billingGroupName": "b"}' if index == 7 else b"{}" for index in range(32)]

    statuses, kept, statistics = asyncio.run(run(tmp_path, bodies))

    assert [index for index, status in enumerate(statuses) if status != 200] == [7]
    assert statuses[7] == 501
    assert kept == {f"t{index}" for index in range(32) if index != 7}
    assert statistics.commits < 8


@pytest.mark.parametrize("by_flow", [False, True])
def test_a_call_with_a_member_that_is_not_honoured_leaves_nothing(tmp_path: Path, *, by_flow: bool) -> None:
    statuses, kept, _ = asyncio.run(run(tmp_path, [b'{"billingGroupName": "b"}'], by_flow=by_flow))

    assert (statuses, kept) == ([501], set())
