"""Jobs, the deployment shadow and the reports, against a scripted cloud; components only pretend to run."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hedgerow.edge.components.model import ComponentState
from hedgerow.edge.deployments import jobs, shadow
from hedgerow.edge.deployments.failure import Status
from hedgerow.edge.deployments.reports import Channel, Reports
from hedgerow.edge.health import Health
from tests.unit.edge.deployments.core import Core, FakeCloud, recipe
from tests.unit.edge.peer import Peer, running
from tests.unit.edge.pki import Pki
from tests.unit.edge.plane import document
from tests.unit.edge.test_connection import Device, device

JOBS = "$aws/things/site-1/jobs"
NEXT = f"{JOBS}/$next/namespace-aws-gg-deployment/get"
NOTIFY = f"{JOBS}/notify-namespace-aws-gg-deployment"
UPDATE = f"{JOBS}/+/namespace-aws-gg-deployment/update"
SHADOW = "$aws/things/site-1/shadow/name/AWSManagedGreengrassV2Deployment"
HEALTH = "$aws/things/site-1/greengrassv2/health/json"


class Whole:
    """A core with its channels, and the cloud that it talks to."""

    def __init__(self, peer: Peer, core: Core, link: Device) -> None:
        self.peer = peer
        self.core = core
        self.link = link
        self.job: dict[str, Any] = {}
        peer.answers[NEXT] = lambda topic, _: [(f"{topic}/accepted", {"timestamp": 1, "execution": dict(self.job)})]
        peer.answers[UPDATE] = lambda topic, _: [(f"{topic}/accepted", {"timestamp": 1})]
        peer.answers[f"{SHADOW}/get"] = lambda topic, _: [(f"{topic}/rejected", {"code": 404})]
        peer.answers[f"{SHADOW}/update"] = lambda topic, body: [(f"{topic}/accepted", body)]

    def queue(self, job_id: str, said: dict[str, Any]) -> None:
        self.job = {"jobId": job_id, "queuedAt": 1, "status": "QUEUED", "jobDocument": said}
        self.peer.publish(NOTIFY, {"timestamp": 1, "jobs": {"QUEUED": [{"jobId": job_id}]}})

    def desire(self, said: dict[str, Any], status: str | None = "SUCCEEDED") -> None:
        desired = {"fleetConfig": json.dumps(said), "desiredStatus": status}
        self.peer.publish(f"{SHADOW}/update/accepted", {"state": {"desired": desired}})

    def said(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(payload) for one, payload in self.peer.messages if one == topic]

    def statuses(self, job_id: str) -> list[str]:
        return [body["status"] for body in self.said(f"{JOBS}/{job_id}/namespace-aws-gg-deployment/update")]

    def reported(self) -> list[tuple[str, str]]:
        bodies = [body["state"]["reported"] for body in self.said(f"{SHADOW}/update")]
        return [(body["fleetConfigurationArnForStatus"].rpartition(":")[2], body["status"]) for body in bodies]


@asynccontextmanager
async def whole(folder: Path, pki: Pki) -> AsyncIterator[Whole]:
    cloud = FakeCloud()
    cloud.add(recipe("app", "1.0.0"), recipe("app", "2.0.0"))
    cloud.groups = {"G"}
    async with running(pki.listener()) as peer, device(folder, peer, pki) as link:
        core = Core(folder, cloud, link.state)
        job_channel = jobs.Jobs(connection=link.connection, engine=core.engine, thing_name="site-1")
        shadow_channel = shadow.DeploymentShadow(connection=link.connection, engine=core.engine, thing_name="site-1")
        channels: dict[str, Channel] = {jobs.KIND: job_channel, shadow.KIND: shadow_channel}
        reports = Reports(state=link.state, engine=core.engine, channels=channels)
        health = Health(
            connection=link.connection,
            supervisor=core.supervisor,
            engine=core.engine,
            state=link.state,
            clock=link.clock,
            thing_name="site-1",
            platform={"os": "linux", "architecture": "amd64"},
            cadence_s=3600,
            pause_s=0.0,
        )
        for listener in (job_channel.ask, shadow_channel.ask, reports.online, health.online):
            link.connection.on_connected(listener)
        one = Whole(peer, core, link)
        async with core.supervisor, asyncio.TaskGroup() as tasks:
            running_parts = [
                tasks.create_task(part.run()) for part in (job_channel, shadow_channel, core.engine, reports, health)
            ]
            await peer.until(lambda: link.connection.connected and core.engine.started.is_set())
            try:
                yield one
            finally:
                for part in running_parts:
                    part.cancel()


def app(number: int, version: str = "1.0.0", *, target: str = "thing/site-1") -> dict[str, Any]:
    return document(number, {"app": {"version": version}}, target=target)


def test_a_job_is_carried_out_and_its_end_is_told_with_details(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with whole(tmp_path, pki) as one:
            one.queue("j1", app(1, target="thinggroup/G"))
            await one.peer.until(lambda: "SUCCEEDED" in one.statuses("j1"))

            assert one.statuses("j1") == ["IN_PROGRESS", "SUCCEEDED"]
            assert one.core.kind.running == {"app": "1.0.0"}
            last = one.said(f"{JOBS}/j1/namespace-aws-gg-deployment/update")[-1]
            assert last["statusDetails"] == {"detailed-deployment-status": "SUCCESSFUL"}

    asyncio.run(scenario())


def test_a_failure_is_told_with_its_cause_and_its_codes_in_values_of_at_most_1024_characters(
    tmp_path: Path, pki: Pki
) -> None:
    async def scenario() -> None:
        async with whole(tmp_path, pki) as one:
            one.core.kind.unsupported = {"app"}
            one.queue("j1", app(1, target="thinggroup/G"))
            await one.peer.until(lambda: "FAILED" in one.statuses("j1"))

            details = one.said(f"{JOBS}/j1/namespace-aws-gg-deployment/update")[-1]["statusDetails"]
            assert details["deployment-failure-cause"] == "app: bootstrap is not supported on this edge"
            assert json.loads(details["deployment-error-stack"]) == ["DEPLOYMENT_FAILURE", "COMPONENT_RECIPE_ERROR"]
            assert all(len(value) <= 1024 for value in details.values())

    asyncio.run(scenario())


def test_a_job_that_waits_in_the_cloud_is_found_at_the_next_connect(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with whole(tmp_path, pki) as one:
            one.job = {"jobId": "j1", "queuedAt": 1, "jobDocument": app(1, target="thinggroup/G")}
            one.peer.cut()
            await one.peer.until(lambda: "SUCCEEDED" in one.statuses("j1"))

    asyncio.run(scenario())


def test_a_notification_without_the_running_job_cancels_it(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with whole(tmp_path, pki) as one:
            one.core.kind.hanging = {"app 1.0.0"}
            one.core.engine._health_s = 60
            one.queue("j1", app(1, target="thinggroup/G"))
            await one.peer.until(lambda: "app 1.0.0" in one.core.kind.starts)
            one.job = {}
            one.peer.publish(NOTIFY, {"timestamp": 2, "jobs": {}})
            await one.peer.until(lambda: one.core.results)

            assert next(iter(one.core.results.values())).status is Status.CANCELED
            assert one.core.kind.running == {}
            assert one.statuses("j1") == ["IN_PROGRESS"], "a device cannot set CANCELED"

    asyncio.run(scenario())


@pytest.mark.parametrize("code", ["InvalidStateTransition", "InvalidRequest", "ResourceNotFound"])
def test_a_status_that_the_cloud_will_never_take_does_not_hold_up_the_others(
    tmp_path: Path, pki: Pki, code: str
) -> None:
    async def scenario() -> None:
        async with whole(tmp_path, pki) as one:
            one.peer.answers[UPDATE] = lambda topic, _: [(f"{topic}/rejected", {"code": code})]
            one.queue("j1", app(1, target="thinggroup/G"))
            await one.peer.until(lambda: "SUCCEEDED" in one.statuses("j1"))
            one.desire(app(1))
            await one.peer.until(lambda: ("1", "SUCCEEDED") in one.reported())

    asyncio.run(scenario())


def test_a_status_is_told_after_the_connection_is_back(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with whole(tmp_path, pki) as one:
            one.core.kind.hanging = {"app 1.0.0"}
            one.queue("j1", app(1, target="thinggroup/G"))
            await one.peer.until(lambda: "app 1.0.0" in one.core.kind.starts)
            one.peer.refuse_with = 0x88
            one.peer.cut()
            await one.peer.until(lambda: one.core.results)
            one.peer.refuse_with = 0
            await one.peer.until(lambda: "FAILED" in one.statuses("j1"))

    asyncio.run(scenario())


def test_the_deployment_shadow_brings_a_deployment_and_hears_how_it_went(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with whole(tmp_path, pki) as one:
            one.desire(app(1))
            await one.peer.until(lambda: ("1", "SUCCEEDED") in one.reported())

            assert one.reported() == [("1", "IN_PROGRESS"), ("1", "SUCCEEDED")]
            assert one.core.kind.running == {"app": "1.0.0"}

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [None, ""])
def test_a_shadow_without_a_desired_status_means_nothing(tmp_path: Path, pki: Pki, status: str | None) -> None:
    async def scenario() -> None:
        async with whole(tmp_path, pki) as one:
            one.desire(app(1), status)
            one.desire(app(2, "2.0.0"))
            await one.peer.until(lambda: ("2", "SUCCEEDED") in one.reported())

            assert one.core.kind.starts == ["app 2.0.0"]

    asyncio.run(scenario())


def test_a_shadow_that_was_already_reported_is_not_carried_out_again(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with whole(tmp_path, pki) as one:
            said = app(1)
            state = {
                "desired": {"fleetConfig": json.dumps(said), "desiredStatus": "SUCCEEDED"},
                "reported": {"fleetConfigurationArnForStatus": said["configurationArn"], "status": "SUCCEEDED"},
            }
            await one.peer.until(lambda: one.said(f"{SHADOW}/get"))
            one.peer.answers[f"{SHADOW}/get"] = lambda topic, _: [(f"{topic}/accepted", {"state": state})]
            one.peer.cut()
            await one.peer.until(lambda: len(one.said(f"{SHADOW}/get")) == 2)
            one.desire(app(2, "2.0.0"))
            await one.peer.until(lambda: ("2", "SUCCEEDED") in one.reported())

            assert one.core.kind.starts == ["app 2.0.0"]

    asyncio.run(scenario())


def test_a_shadow_deployment_is_taken_back(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with whole(tmp_path, pki) as one:
            one.core.cloud.away = True
            one.desire(app(1))
            await one.peer.until(lambda: one.core.engine.running is not None)
            one.desire(app(1), "CANCELED")
            await one.peer.until(lambda: ("1", "CANCELED") in one.reported())

            assert one.core.kind.starts == []

    asyncio.run(scenario())


@pytest.mark.parametrize("payload", [b"no json", b"[]", b'{"jobs": 7}', b'{"jobs": {"QUEUED": [{}]}}', b"{}"])
def test_a_notification_that_cannot_be_read_harms_nothing(tmp_path: Path, pki: Pki, payload: bytes) -> None:
    async def scenario() -> None:
        async with whole(tmp_path, pki) as one:
            one.peer.publish(NOTIFY, payload)
            one.peer.publish(f"{SHADOW}/update/accepted", payload)
            one.queue("j1", app(1, target="thinggroup/G"))
            await one.peer.until(lambda: "SUCCEEDED" in one.statuses("j1"))

    asyncio.run(scenario())


def test_a_component_that_breaks_later_makes_the_device_unhealthy(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with whole(tmp_path, pki) as one:
            one.desire(app(1))
            await one.peer.until(lambda: any(body["trigger"] == "THING_DEPLOYMENT" for body in one.said(HEALTH)))
            one.core.supervisor._set("app", ComponentState.BROKEN, "it fell over", ("RUN_ERROR",))
            await one.peer.until(lambda: one.said(HEALTH)[-1]["overallDeviceStatus"] == "UNHEALTHY")

            last = one.said(HEALTH)[-1]
            assert (last["messageType"], last["trigger"]) == ("PARTIAL", "COMPONENT_STATUS_CHANGE")
            details = last["components"][0]["componentStatusDetails"]
            assert details == {"statusCodes": ["RUN_ERROR"], "statusReason": "it fell over"}

    asyncio.run(scenario())


def test_the_status_reports_say_what_started_changed_and_ended(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with whole(tmp_path, pki) as one:
            one.desire(app(1))
            await one.peer.until(lambda: any(body["trigger"] == "THING_DEPLOYMENT" for body in one.said(HEALTH)))
            one.peer.cut()
            await one.peer.until(lambda: any(body["trigger"] == "RECONNECT" for body in one.said(HEALTH)))

            bodies = one.said(HEALTH)
            assert [body["sequenceNumber"] for body in bodies] == list(range(1, len(bodies) + 1))
            assert bodies[0]["trigger"] == "NUCLEUS_LAUNCH"
            ended = next(body for body in bodies if body["trigger"] == "THING_DEPLOYMENT")
            assert ended["messageType"] == "COMPLETE"
            assert ended["deploymentInformation"]["deploymentId"] == "deployment-1"
            assert [each["status"] for each in ended["components"]] == ["RUNNING"]
            assert {body["overallDeviceStatus"] for body in bodies} == {"HEALTHY"}

    asyncio.run(scenario())
