"""Jobs against a scripted cloud; their processes are real."""

import asyncio
import errno
import json
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hedgerow.base.ids import RandomIds
from hedgerow.edge.components.leftovers import Leftovers
from hedgerow.edge.jobs.actions import Actions
from hedgerow.edge.jobs.channel import JobChannel
from hedgerow.edge.jobs.execution import Executions
from hedgerow.edge.jobs.process import Processes
from hedgerow.edge.notice import Console
from hedgerow.edge.trouble import Trouble
from tests.unit.edge.peer import Peer, running
from tests.unit.edge.pki import Pki
from tests.unit.edge.test_connection import Device, device

JOBS = "$aws/things/site-1/jobs"


class Site:
    """A device with its job channel, and the cloud that hands jobs out."""

    def __init__(self, peer: Peer, folder: Path) -> None:
        self.peer = peer
        self.folder = folder
        self.boot = "boot-1"
        self.reboot: tuple[str, ...] = ("true",)
        self.queue: list[dict[str, Any]] = []
        self.refuse_with = ""
        self.orders: list[str] = []
        self.rotates: str | None = "c1"
        peer.answers[f"{JOBS}/start-next"] = lambda topic, _: [(f"{topic}/accepted", self._next())]
        peer.answers[f"{JOBS}/+/update"] = self._updated

    def job(self, job_id: str, *actions: dict[str, Any], **more: Any) -> None:
        document = {"version": "1.0", "steps": [{"action": action} for action in actions], **more}
        self.queue.append({"jobId": job_id, "executionNumber": 1, "queuedAt": 1, "jobDocument": document})
        self.notify()

    def notify(self) -> None:
        listed = [{name: one[name] for name in ("jobId", "executionNumber", "queuedAt")} for one in self.queue]
        self.peer.publish(f"{JOBS}/notify", {"timestamp": 1, "jobs": {"QUEUED": listed}})

    async def rotate(self, order: str) -> str:
        self.orders.append(order)
        if self.rotates is None:
            raise Trouble("the cloud refused the rotation")
        return self.rotates

    def handler(self, name: str, text: str) -> None:
        path = self.folder / "jobs" / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o700)

    def said(self, job_id: str) -> list[dict[str, Any]]:
        return [json.loads(payload) for topic, payload in self.peer.messages if topic == f"{JOBS}/{job_id}/update"]

    async def ended(self, job_id: str) -> dict[str, Any]:
        """Wait for the last word on a job."""
        await self.peer.until(lambda: [one for one in self.said(job_id) if one["status"] != "IN_PROGRESS"])
        last = self.said(job_id)[-1]
        assert last["executionNumber"] == 1
        return last

    def _next(self) -> dict[str, Any]:
        return {"timestamp": 1, **({"execution": self.queue[0]} if self.queue else {})}

    def _updated(self, topic: str, body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        if body["status"] != "IN_PROGRESS":
            self.queue = [one for one in self.queue if one["jobId"] != topic.split("/")[4]]
            if self.refuse_with:
                return [(f"{topic}/rejected", {"code": self.refuse_with, "message": "no"})]
        return [(f"{topic}/accepted", {"timestamp": 1})]


@asynccontextmanager
async def living(site: Site, link: Device) -> AsyncIterator[JobChannel]:
    """One life of the channel."""
    leftovers = Leftovers(site.folder / "left")
    actions = Actions(
        processes=Processes(leftovers=leftovers, ids=RandomIds(), on_line=lambda _: None),
        folder=site.folder / "work",
        handlers_folder=site.folder / "jobs",
        logs=site.folder,
        reboot=site.reboot,
        thing_name="site-1",
        context=ssl.create_default_context,
        boot_id=lambda: site.boot,
        rotate=site.rotate,
    )
    executions = Executions(state=link.state, actions=actions, attributes={"os": "linux"})
    channel = JobChannel(
        connection=link.connection,
        executions=executions,
        console=Console(link.said),
        thing_name="site-1",
        again_s=0.01,
    )
    link.connection.on_connected(channel.ask)
    if link.connection.connected:
        channel.ask()
    task = asyncio.create_task(channel.run())
    try:
        yield channel
    finally:
        task.cancel()
        await asyncio.wait({task})
        assert not list((site.folder / "left").glob("*"))


Scenario = Callable[[Site, Device], Any]


def run(tmp_path: Path, pki: Pki, scenario: Scenario) -> None:
    async def whole() -> None:
        async with running(pki.listener()) as peer, device(tmp_path, peer, pki) as link:
            await scenario(Site(peer, tmp_path), link)

    asyncio.run(whole())


def command(*words: str, **more: Any) -> dict[str, Any]:
    return {"name": words[0], "type": "runCommand", "input": {"command": ",".join(words)}, **more}


def logs_to(url: str) -> dict[str, Any]:
    return {"type": "collectLogs", "input": {"uploadUrl": url}}


def test_steps_run_one_after_another_and_the_end_is_told_with_their_output(tmp_path: Path, pki: Pki) -> None:
    async def scenario(site: Site, link: Device) -> None:
        site.handler("hello.sh", 'echo "hello $2 from $HEDGEROW_JOB_ID"')
        async with living(site, link):
            step = {"name": "greet", "type": "runHandler", "input": {"handler": "hello.sh", "args": ["world"]}}
            site.job("j1", step, command("echo", "bye"), includeStdOut=True)
            last = await site.ended("j1")

        assert [one["statusDetails"].get("step") for one in site.said("j1")] == ["1 of 2: greet", "2 of 2: echo", None]
        assert last["status"] == "SUCCEEDED"
        assert last["statusDetails"] == {"stdout": "hello world from j1 | bye"}

    run(tmp_path, pki, scenario)


@pytest.mark.parametrize(
    ("step", "status", "reason"),
    [
        (command("sh", "-c", "echo bad >&2; exit 3"), "FAILED", "it ended with status 3"),
        (command("sh", "-c", "kill -9 $$"), "FAILED", "it was ended by signal 9"),
        (command("no-such-program"), "FAILED", "cannot start no-such-program: No such file or directory"),
        (command("sh", "-c", "echo bad >&2", allowStdErr=0), "FAILED", "it wrote 1 lines to standard error"),
        (command("true", runAsUser="nobody-of-this-name"), "FAILED", "there is no user nobody-of-this-name"),
        ({"type": "runHandler", "input": {"handler": "gone.sh"}}, "FAILED", "there is no handler gone.sh in"),
        (logs_to("https://host:nope/x"), "FAILED", "the step cannot be done: Port could not be cast"),
        (logs_to("https://[host/x"), "FAILED", "the step cannot be done: Invalid IPv6 URL"),
        (logs_to("https://host/ü"), "FAILED", "the step cannot be done: 'ascii' codec"),
        (command("echo", "\ud800"), "FAILED", "the step cannot be done: 'utf-8' codec"),
        ({"type": "runScript", "input": {"script": "echo \ud800"}}, "FAILED", "the step cannot be done: 'utf-8' codec"),
        ({"type": "format"}, "REJECTED", "steps[0].action.type 'format' is not known"),
    ],
)
def test_what_goes_wrong_is_told_with_its_reason(
    tmp_path: Path, pki: Pki, step: dict[str, Any], status: str, reason: str
) -> None:
    async def scenario(site: Site, link: Device) -> None:
        async with living(site, link):
            site.job("j1", step, command("touch", str(tmp_path / "after")))
            last = await site.ended("j1")

        assert (last["status"], last["statusDetails"]["reason"][: len(reason)]) == (status, reason)
        assert not (tmp_path / "after").exists()

    run(tmp_path, pki, scenario)


def test_a_device_that_has_no_room_for_a_step_fails_the_job_and_runs_the_next(tmp_path: Path, pki: Pki) -> None:
    async def scenario(site: Site, link: Device) -> None:
        (tmp_path / "work").write_text("in the way")
        async with living(site, link):
            site.job("j1", command("true"))
            first = await site.ended("j1")
            (tmp_path / "work").unlink()
            site.job("j2", command("true"))
            second = await site.ended("j2")

        assert (first["status"], second["status"]) == ("FAILED", "SUCCEEDED")
        assert "File exists" in first["statusDetails"]["reason"]

    run(tmp_path, pki, scenario)


def test_a_process_that_cannot_be_noted_down_is_not_left_running(tmp_path: Path) -> None:
    class FullDisk(Leftovers):
        group = 0

        def note(self, group: int, token: str) -> None:
            self.group = group
            raise OSError(errno.ENOSPC, "No space left on device")

    async def scenario() -> None:
        leftovers = FullDisk(tmp_path)
        processes = Processes(leftovers=leftovers, ids=RandomIds(), on_line=lambda _: None)
        with pytest.raises(OSError, match="No space left"):
            await processes.run(["sleep", "60"], folder=tmp_path, environment={})
        with pytest.raises(ProcessLookupError):
            os.killpg(leftovers.group, 0)

    asyncio.run(scenario())


def test_scripts_of_an_earlier_life_are_cleared_away(tmp_path: Path, pki: Pki) -> None:
    async def scenario(site: Site, link: Device) -> None:
        (tmp_path / "work").mkdir()
        (tmp_path / "work" / "script-cut-off").write_text("secret")
        async with living(site, link):
            site.job("j1", {"type": "runScript", "input": {"script": "true"}})
            await site.ended("j1")

        assert list((tmp_path / "work").iterdir()) == []

    run(tmp_path, pki, scenario)


def test_a_step_that_may_fail_does_not_end_the_job(tmp_path: Path, pki: Pki) -> None:
    async def scenario(site: Site, link: Device) -> None:
        async with living(site, link):
            site.job("j1", command("false", ignoreStepFailure=True), command("touch", str(tmp_path / "after")))
            assert (await site.ended("j1"))["status"] == "SUCCEEDED"

        assert (tmp_path / "after").exists()

    run(tmp_path, pki, scenario)


def test_jobs_are_run_one_after_another_until_there_is_none(tmp_path: Path, pki: Pki) -> None:
    async def scenario(site: Site, link: Device) -> None:
        log = tmp_path / "log"
        for name in ("a", "b", "c"):
            site.job(name, {"type": "runScript", "input": {"script": f"echo {name} >> {log}"}})
        async with living(site, link):
            await site.ended("c")

        assert log.read_text().split() == ["a", "b", "c"]

    run(tmp_path, pki, scenario)


def test_a_cancelled_job_is_ended_and_nothing_more_is_said_of_it(tmp_path: Path, pki: Pki) -> None:
    async def scenario(site: Site, link: Device) -> None:
        begun = tmp_path / "begun"
        async with living(site, link):
            site.job("j1", command("sh", "-c", f"touch {begun}; sleep 60"))
            await site.peer.until(begun.exists)
            site.queue.clear()
            site.notify()
            site.job("j2", command("true"))
            await site.ended("j2")

        assert [one["status"] for one in site.said("j1")] == ["IN_PROGRESS"]
        assert "job j1 was cancelled" in link.said.getvalue()

    run(tmp_path, pki, scenario)


@pytest.mark.parametrize("another", [{"executionNumber": 2}, {"queuedAt": 2}])
def test_an_execution_that_is_over_is_ended_though_the_job_comes_again(
    tmp_path: Path, pki: Pki, another: dict[str, int]
) -> None:
    """Its time was over and the cloud tries again; or the job was deleted and made anew."""

    async def scenario(site: Site, link: Device) -> None:
        begun = tmp_path / "begun"
        async with living(site, link):
            site.job("j1", command("sh", "-c", f"test -e {begun} || {{ touch {begun}; sleep 60; }}"))
            await site.peer.until(begun.exists)
            site.queue[0] |= another
            site.notify()
            await site.peer.until(lambda: [one for one in site.said("j1") if one["status"] == "SUCCEEDED"])

        assert site.said("j1")[-1]["executionNumber"] == another.get("executionNumber", 1)

    run(tmp_path, pki, scenario)


def test_after_a_stop_the_step_that_was_under_way_runs_again_and_those_before_it_do_not(
    tmp_path: Path, pki: Pki
) -> None:
    async def scenario(site: Site, link: Device) -> None:
        log = tmp_path / "log"
        second = f"echo second $HEDGEROW_JOB_ATTEMPT >> {log}; test $HEDGEROW_JOB_ATTEMPT = 2 || sleep 60"
        async with living(site, link):
            site.job("j1", command("sh", "-c", f"echo first >> {log}"), command("sh", "-c", second))
            await site.peer.until(lambda: log.exists() and "second 1" in log.read_text())
        async with living(site, link):
            assert (await site.ended("j1"))["status"] == "SUCCEEDED"

        assert log.read_text().splitlines() == ["first", "second 1", "second 2"]

    run(tmp_path, pki, scenario)


def test_a_job_goes_on_behind_a_restart_of_the_machine(tmp_path: Path, pki: Pki) -> None:
    async def scenario(site: Site, link: Device) -> None:
        asked, after = tmp_path / "asked", tmp_path / "after"
        site.reboot = ("sh", "-c", f"echo asked >> {asked}")
        async with living(site, link):
            site.job("j1", {"type": "runHandler", "input": {"handler": "reboot.sh"}}, command("touch", str(after)))
            await site.peer.until(asked.exists)
        assert not after.exists()
        site.boot = "boot-2"
        async with living(site, link):
            assert (await site.ended("j1"))["status"] == "SUCCEEDED"

        assert after.exists()
        assert asked.read_text().split() == ["asked"]

    run(tmp_path, pki, scenario)


def test_a_machine_that_does_not_restart_is_told_three_times_and_then_the_job_fails(tmp_path: Path, pki: Pki) -> None:
    async def scenario(site: Site, link: Device) -> None:
        asked = tmp_path / "asked"
        asked.touch()
        site.reboot = ("sh", "-c", f"echo asked >> {asked}")
        site.job("j1", {"type": "reboot"})
        for life in (1, 2, 3):

            def told(life: int = life) -> bool:
                return len(asked.read_text().split()) == life

            async with living(site, link):
                await site.peer.until(told)
        async with living(site, link):
            last = await site.ended("j1")

        assert last["status"] == "FAILED"
        assert last["statusDetails"]["reason"] == "the machine was told to restart 3 times and did not"

    run(tmp_path, pki, scenario)


def test_a_result_that_could_not_be_told_is_told_after_the_next_connect_without_running_again(
    tmp_path: Path, pki: Pki
) -> None:
    async def scenario(site: Site, link: Device) -> None:
        log = tmp_path / "log"
        begun, go = tmp_path / "begun", tmp_path / "go"
        script = f"echo ran >> {log}; touch {begun}; while ! test -e {go}; do sleep 0.01; done"
        async with living(site, link):
            site.job("j1", command("sh", "-c", script))
            await site.peer.until(begun.exists)
            site.peer.refuse_with = 0x88
            site.peer.cut()
            await site.peer.until(lambda: not link.connection.connected)
            go.touch()
            await site.peer.until(lambda: len(site.peer.connects) > 2)
            site.peer.refuse_with = 0
            assert (await site.ended("j1"))["status"] == "SUCCEEDED"

        assert log.read_text().split() == ["ran"]

    run(tmp_path, pki, scenario)


@pytest.mark.parametrize(("code", "times"), [("InvalidStateTransition", 1), ("RequestThrottled", 2)])
def test_a_refused_result_is_told_again_only_when_that_may_help(
    tmp_path: Path, pki: Pki, code: str, times: int
) -> None:
    async def scenario(site: Site, link: Device) -> None:
        site.refuse_with = code
        async with living(site, link):
            site.job("j1", command("true"))
            await site.ended("j1")
            await site.peer.until(lambda: len(site.said("j1")) >= 1 + times)
            site.refuse_with = ""
            site.job("j2", command("true"))
            await site.ended("j2")

        assert all(one["status"] == "SUCCEEDED" for one in site.said("j1")[1:])

    run(tmp_path, pki, scenario)


def test_a_device_that_may_not_hear_of_jobs_runs_none_and_stays_connected(tmp_path: Path, pki: Pki) -> None:
    async def scenario(site: Site, link: Device) -> None:
        site.peer.deny = {f"{JOBS}/notify"}
        async with living(site, link):
            await site.peer.until(lambda: link.connection.connected)
            site.job("j1", command("true"))
            await site.peer.until(lambda: link.connection.connected)

        assert not [topic for topic, _ in site.peer.messages if topic.startswith(JOBS)]

    run(tmp_path, pki, scenario)


def test_a_device_that_is_cut_off_for_asking_leaves_jobs_alone_for_a_while_and_says_so(
    tmp_path: Path, pki: Pki
) -> None:
    async def scenario(site: Site, link: Device) -> None:
        site.peer.cut_on = f"{JOBS}/start-next"
        async with living(site, link):
            await site.peer.until(lambda: "No jobs for a while" in link.said.getvalue(), within_s=20.0)
            await site.peer.until(lambda: link.connection.connected)
            connects = len(site.peer.connects)
            site.notify()
            with pytest.raises(TimeoutError):
                await site.peer.until(lambda: len(site.peer.connects) > connects, within_s=0.1)

    run(tmp_path, pki, scenario)


def test_the_certificate_is_rotated_by_a_job(tmp_path: Path, pki: Pki) -> None:
    async def scenario(site: Site, link: Device) -> None:
        async with living(site, link):
            site.job("j1", {"type": "rotateCertificate"}, includeStdOut=True)
            good = await site.ended("j1")
            site.rotates = None
            site.job("j2", {"type": "rotateCertificate"})
            bad = await site.ended("j2")

        assert site.orders == ["job j1:1:1", "job j2:1:1"]
        assert good["statusDetails"] == {"stdout": "certificate c1"}
        assert bad["statusDetails"]["reason"] == "the cloud refused the rotation"

    run(tmp_path, pki, scenario)
