"""What someone meets in the first hour: the AWS CLI, a device by hand, mosquitto, bad input."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from hedgerow.testing import CloudProcess, TestCloud

BIN = Path(sys.executable).parent


def run(*command: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HEDGEROW_"))}
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=60,
        env={**kept, **environment},
        stdin=subprocess.DEVNULL,
        check=False,
    )


def hedgerow(*arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run(sys.executable, "-m", "hedgerow", *arguments, **environment)


@pytest.fixture(scope="session")
def exported(hedgerow_process: CloudProcess) -> Mapping[str, str]:
    """What `eval "$(hedgerow cloud env)"` sets in a shell."""
    lines = hedgerow("cloud", "env", "--data", hedgerow_process.data).stdout.splitlines()
    pairs = (shlex.split(line)[1].partition("=") for line in lines if line.startswith("export "))
    return {name: value for name, _, value in pairs}


@pytest.mark.slow
@pytest.mark.spec("X-01", "BS-40", "JB-23")
@pytest.mark.parametrize(
    ("command", "member"),
    [
        ("iot list-things", "things"),
        ("iot describe-endpoint --endpoint-type iot:Data-ATS", "endpointAddress"),
        ("sts get-caller-identity", "Arn"),
        ("lambda list-functions", "Functions"),
        ("greengrassv2 list-core-devices", "coreDevices"),
        ("hedgerow list-onboarding-attempts", "attempts"),
    ],
)
def test_the_aws_cli_answers(exported: Mapping[str, str], command: str, member: str) -> None:
    done = run(BIN / "aws", *command.split(), **exported)

    assert done.returncode == 0, done.stderr
    assert member in json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.spec("JB-40", "DR-10", "DR-15", "DR-23", "KO-11")
def test_a_device_by_hand_publishes_and_is_cut_off_where_it_may_not(
    exported: Mapping[str, str], tmp_path: Path
) -> None:
    made = hedgerow("device", "create", "by-hand", "--out", tmp_path / "by-hand", **exported)
    line = made.stdout.strip().splitlines()[-1]

    allowed = run("sh", "-c", line)
    denied = run("sh", "-c", line.replace("devices/by-hand/", "devices/other/"))

    assert line.startswith("mosquitto_pub "), made.stderr
    assert (tmp_path / "by-hand" / "device.key").stat().st_mode & 0o777 == 0o600
    assert allowed.returncode == 0, allowed.stderr
    assert denied.returncode != 0
    assert "connection was lost" in denied.stderr.lower()


@pytest.mark.slow
@pytest.mark.spec("DR-09", "DR-19", "DR-20")
def test_an_operator_sees_what_a_device_publishes(hedgerow_cloud: TestCloud) -> None:
    keys = hedgerow_cloud.session.get_credentials()
    assert keys is not None
    ready = hedgerow_cloud.process.ready
    environment = {
        "AWS_ENDPOINT_URL": ready["api_url"],
        "AWS_REGION": ready["region"],
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
    }
    command = [sys.executable, "-m", "hedgerow", "mqtt", "sub", "#", "--count", "1", "--announce"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}) as listening:
        assert listening.stdout is not None
        assert listening.stdout.readline().startswith("subscribed")

        sent = hedgerow("mqtt", "pub", "devices/x/hello", "hi", **environment)

        assert sent.returncode == 0, sent.stderr
        assert listening.stdout.readline() == "devices/x/hello hi\n"


@pytest.mark.slow
def test_status_tells_where_the_cloud_listens_and_no_secret(hedgerow_process: CloudProcess) -> None:
    done = hedgerow("cloud", "status", "--data", hedgerow_process.data, "--json")

    shown = json.loads(done.stdout)
    assert (done.returncode, shown["running"]) == (0, True)
    assert hedgerow_process.ready["secret_access_key"] not in done.stdout


@pytest.mark.slow
def test_files_that_hold_secrets_are_closed_to_others(hedgerow_process: CloudProcess) -> None:
    secret = ["ready.json", "pki/server.key", "pki/device-ca.key", "pki/server-ca.key"]

    modes = {name: (hedgerow_process.data / name).stat().st_mode & 0o777 for name in secret}

    assert set(modes.values()) == {0o600}
    assert hedgerow_process.data.stat().st_mode & 0o777 == 0o700


FREE = ["--api-port", "0", "--mqtt-port", "0", "--https-port", "0"]
BAD_STARTS = [
    (["--no-such-flag"], "No such option"),
    (["--api-port", "99999"], "--api-port must be 0 to 65535"),
    (["--account", "12"], "--account must be 12 digits"),
    (["--limits", "none"], "--limits must be one of"),
    (["--settings", "/nowhere/settings.toml"], "does not exist"),
    (["--port-443", "--bind", "192.0.2.7"], "cannot listen on"),
    (["--bind", "192.0.2.7"], "cannot listen on 192.0.2.7"),
    (["--ready-file", "/nowhere/ready.json", "--no-console", *FREE], "the ready file cannot be written"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "said"), BAD_STARTS)
def test_a_start_that_cannot_work_says_why_and_changes_nothing(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = hedgerow("cloud", "up", "--data", tmp_path / "data", *arguments, HEDGEROW_MASTER_KEY="A" * 43 + "=")

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_second_cloud_on_the_same_folder_is_refused(hedgerow_process: CloudProcess) -> None:
    done = hedgerow("cloud", "up", "--data", hedgerow_process.data, "--api-port", "0")

    assert done.returncode == 2
    assert done.stderr.startswith("hedgerow: another cloud (pid ")
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_taken_port_is_named_with_what_to_do(hedgerow_process: CloudProcess, tmp_path: Path) -> None:
    port = hedgerow_process.ready["api_url"].rsplit(":", 1)[1]

    done = hedgerow("cloud", "up", "--data", tmp_path / "data", "--api-port", port, HEDGEROW_MASTER_KEY="A" * 43 + "=")

    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "--api-port" in done.stderr


@pytest.mark.slow
def test_a_folder_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "cloud.json").write_text('{"format": 99}')

    done = hedgerow("cloud", "up", "--data", folder)

    assert done.returncode == 2
    assert "newer Hedgerow" in done.stderr
    assert [each.name for each in folder.iterdir()] == ["cloud.json"]


@pytest.mark.slow
def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("mqtt_prot = 1\n")

    done = hedgerow("cloud", "up", "--data", tmp_path / "data", "--settings", settings)

    assert done.returncode == 2
    assert "mqtt_prot" in done.stderr


@pytest.mark.slow
def test_commands_on_a_folder_without_a_cloud_say_how_to_start_one(tmp_path: Path) -> None:
    done = hedgerow("cloud", "env", "--data", tmp_path)

    assert done.returncode == 2
    assert "hedgerow cloud up" in done.stderr
