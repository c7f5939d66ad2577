"""`hedgerow shadow …` and `hedgerow job …` against a running cloud."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from hedgerow.cli.main import run
from hedgerow.testing import Device, TestCloud
from tests.support.mqtt import ask, connected

pytestmark = [pytest.mark.slow]


def environment(cloud: TestCloud) -> Mapping[str, str]:
    keys = cloud.session.get_credentials()
    assert keys is not None
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HEDGEROW_"))}
    return {
        **kept,
        "AWS_ENDPOINT_URL": cloud.process.ready["api_url"],
        "AWS_REGION": cloud.region,
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
    }


def hedgerow(cloud: TestCloud, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hedgerow", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(cloud),
        input=given,
        check=False,
    )


@contextmanager
def running(cloud: TestCloud, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "hedgerow", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(cloud)) as process:
        try:
            yield process
        finally:
            process.kill()


def work(device: Device, status: str) -> None:
    """Do the next job of a device."""
    with connected(device) as connection:
        base = f"$aws/things/{device.name}/jobs"
        execution = ask(connection, f"{base}/start-next", {})["execution"]
        ask(connection, f"{base}/{execution['jobId']}/update", {"status": status})


@pytest.mark.spec("JB-42")
def test_a_shadow_is_written_and_read(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    cloud.client("iot").create_thing(thingName="lamp")

    first = hedgerow(cloud, "shadow", "set", "lamp", "on=true", "light.level=5", "--name", "front")
    second = hedgerow(cloud, "shadow", "set", "lamp", "-", "--name", "front", "--reported", given='{"on": false}')
    stale = hedgerow(cloud, "shadow", "set", "lamp", "on=null", "--name", "front", "--version", "1")
    read = hedgerow(cloud, "shadow", "get", "lamp", "--name", "front")
    absent = hedgerow(cloud, "shadow", "get", "lamp")

    assert (first.stdout, second.stdout) == ("version 1\n", "version 2\n")
    assert (stale.returncode, stale.stderr) == (2, "hedgerow: the cloud refused: Version conflict\n")
    assert json.loads(read.stdout)["state"] == {
        "desired": {"on": True, "light": {"level": 5}},
        "reported": {"on": False},
        "delta": {"on": True, "light": {"level": 5}},
    }
    assert "metadata" not in read.stdout
    assert (absent.returncode, absent.stderr) == (
        2,
        "hedgerow: the cloud refused: No shadow exists with name: 'lamp'\n",
    )


@pytest.mark.spec("JB-42")
def test_a_shadow_is_watched(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    cloud.client("iot").create_thing(thingName="lamp")

    with running(cloud, "shadow", "watch", "lamp", "--count", "1", "--announce") as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline().startswith("subscribed")
        hedgerow(cloud, "shadow", "set", "lamp", "on=true")
        line = watching.stdout.readline()
        watching.wait(15)

    assert json.loads(line) == {"version": 1, "state": {"desired": {"on": True}}}


@pytest.mark.spec("JB-32")
def test_a_job_is_given_out_and_watched_to_its_end(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    devices = [cloud.device(name) for name in ("lamp-1", "lamp-2")]
    given = ["--document", '{"do": "it"}', "--thing", "lamp-1", "--thing", "lamp-2", "--watch", "--every", "0.2"]

    with running(cloud, "job", "create", "blink", *given) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "blink is made\n"
        assert watching.stdout.readline() == "blink in progress: 0 of 2 done: 2 queued\n"
        work(devices[0], "SUCCEEDED")
        work(devices[1], "FAILED")
        rest = watching.stdout.read()
        status = watching.wait(15)

    assert rest.splitlines()[-1] == "blink completed: 2 of 2 done: 1 succeeded, 1 failed"
    assert status == 1


@pytest.mark.spec("JB-32")
def test_a_job_is_called_off(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    cloud.client("iot").create_thing(thingName="lamp")
    hedgerow(cloud, "job", "create", "blink", "--document", "{}", "--thing", "lamp", "--description", "blinks")

    done = hedgerow(cloud, "job", "cancel", "blink", "--reason", "NOT_NOW")
    watched = hedgerow(cloud, "job", "watch", "blink")
    again = hedgerow(cloud, "job", "cancel", "blink")

    job = cloud.client("iot").describe_job(jobId="blink")["job"]
    assert (done.stdout, job["status"], job["reasonCode"]) == ("blink is called off\n", "CANCELED", "NOT_NOW")
    assert (watched.stdout, watched.returncode) == ("blink canceled: 1 of 1 done: 1 canceled\n", 1)
    assert again.returncode == 2
    assert again.stderr.startswith("hedgerow: the cloud refused: ")


BAD = [
    (["job", "create", "j", "--document", "{}"], "a job needs somebody to do it"),
    (["job", "create", "j", "--document", "[]", "--thing", "lamp"], "the document is not a JSON object"),
    (["job", "create", "j", "--document", "{}", "--thing", "nobody"], "Thing nobody cannot be found"),
    (["job", "create", "a b", "--document", "{}", "--thing", "lamp"], "the cloud refused"),
    (["job", "watch", "nothing"], "the cloud refused"),
    (["shadow", "set", "lamp", "on"], "neither KEY=VALUE nor a JSON object"),
    (["shadow", "set", "a" * 200, "on=1"], "the cloud refused"),
    (["shadow", "watch", "a/b"], "'a/b' is not the name of a thing"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD)
def test_what_cannot_be_done_is_said_in_one_line(
    hedgerow_cloud: TestCloud,
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment(hedgerow_cloud).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["hedgerow", *arguments])

    with pytest.raises(SystemExit) as ended:
        run()

    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in error
    assert error.startswith("hedgerow: ")
    assert len(error.splitlines()) == 1
