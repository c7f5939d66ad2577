"""Many devices made before delivery: from a list, cut short, and given again; their files start an edge unchanged."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hedgerow.testing import TestCloud
from tests.support.running import recipe
from tests.support.sites import Edge, is_connected
from tests.support.waiting import until


@pytest.fixture
def edges() -> Iterator[list[Edge]]:
    started: list[Edge] = []
    yield started
    for edge in started:
        edge.stop()


def create(cloud: TestCloud, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run `hedgerow device create` as this account's operator."""
    return run(cloud, "create", *arguments)


def run(cloud: TestCloud, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run `hedgerow device …` as this account's operator."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60, env=said(cloud), check=False)


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "hedgerow", "device", *map(str, arguments)]


def said(cloud: TestCloud) -> dict[str, str]:
    """What `hedgerow cloud env` would set for this account."""
    ready = cloud.process.ready
    credentials = cloud.session.get_credentials()
    assert credentials is not None
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HEDGEROW_"))}
    return {
        **kept,
        "AWS_ENDPOINT_URL": ready["api_url"],
        "AWS_REGION": ready["region"],
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "HEDGEROW_CA_FILE": ready["ca_file"],
        "HEDGEROW_MQTT_PORT": str(ready["mqtt_port"]),
        "HEDGEROW_HTTPS_PORT": str(ready["https_port"]),
    }


def certificates(iot: Any, name: str) -> list[str]:
    found: list[str] = iot.list_thing_principals(thingName=name)["principals"]
    return found


@pytest.mark.slow
def test_a_list_of_devices_is_made_and_one_of_them_starts_an_edge(
    hedgerow_cloud: TestCloud, tmp_path: Path, edges: list[Edge]
) -> None:
    iot = hedgerow_cloud.client("iot")
    iot.create_thing_type(thingTypeName="Pump")
    iot.create_thing_group(thingGroupName="north")
    table = tmp_path / "devices.csv"
    table.write_text("name,type,groups,attribute.site\n" + "".join(f"pump-{n},Pump,north,hall\n" for n in range(12)))

    made = create(hedgerow_cloud, "--csv", table, "--out", tmp_path / "out")
    root = tmp_path / "out" / "pump-3"
    edges.append(Edge("pump-3", root))
    edges[0].start()

    assert made.returncode == 0, made.stderr
    assert "12 devices are ready" in made.stdout
    assert len(iot.list_things_in_thing_group(thingGroupName="north")["things"]) == 12
    described = iot.describe_thing(thingName="pump-3")
    assert (described["thingTypeName"], described["attributes"]) == ("Pump", {"site": "hall"})
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").glob("*/device.key")} == {0o600}
    until("pump-3 connected", lambda: is_connected(hedgerow_cloud, "pump-3"), within_s=20.0)


@pytest.mark.slow
@pytest.mark.spec("DR-15", "JB-69")
def test_what_was_cut_short_goes_on_and_no_name_gets_a_second_certificate(
    hedgerow_cloud: TestCloud, tmp_path: Path
) -> None:
    iot = hedgerow_cloud.client("iot")
    table, out = tmp_path / "devices.csv", tmp_path / "out"
    table.write_text("name\n" + "".join(f"box-{n}\n" for n in range(60)))
    with subprocess.Popen(
        command("create", "--csv", table, "--out", out), env=said(hedgerow_cloud), stdout=subprocess.DEVNULL
    ) as begun:
        until("some devices", lambda: len(list(out.glob("*/device.pem"))) >= 5)
        begun.send_signal(signal.SIGKILL)
    done = {path: path.read_bytes() for path in out.glob("*/device.pem")}
    lost = min(done)
    lost.unlink()  # as if the power had gone before the answer was written

    again = create(hedgerow_cloud, "--csv", table, "--out", out)

    assert again.returncode == 0, again.stderr
    assert len(list(out.glob("*/device.pem"))) == 60
    assert {path: path.read_bytes() for path in done} == done
    assert all(len(certificates(iot, f"box-{n}")) == 1 for n in range(60))
    owned = {certificate for n in range(60) for certificate in certificates(iot, f"box-{n}")}
    listed = {one["certificateArn"] for one in iot.list_certificates(pageSize=250)["certificates"]}
    assert listed == owned


@pytest.mark.slow
def test_a_place_that_cannot_be_written_is_told_and_nothing_is_registered(
    hedgerow_cloud: TestCloud, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")

    done = create(hedgerow_cloud, "lamp", "--out", tmp_path / "file" / "lamp")

    assert done.returncode == 2
    assert "lamp: cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert hedgerow_cloud.client("iot").list_things()["things"] == []


@pytest.mark.slow
def test_a_name_that_has_a_certificate_elsewhere_is_told_and_the_others_are_made(
    hedgerow_cloud: TestCloud, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert create(hedgerow_cloud, "a", "--out", out / "a").returncode == 0
    shutil.rmtree(out / "a")

    done = create(hedgerow_cloud, "a", "b", "c", "--out", out, "--type", "NoSuchType")
    mended = create(hedgerow_cloud, "a", "b", "c", "--out", out)

    assert done.returncode == 2
    assert "3 of 3 devices were not made" in done.stderr
    assert "NoSuchType" in done.stderr
    assert mended.returncode == 2
    assert "1 of 3 devices were not made" in mended.stderr
    assert "a: it has the certificate" in mended.stderr
    assert sorted(path.name for path in out.iterdir() if (path / "device.pem").exists()) == ["b", "c"]


@pytest.mark.slow
@pytest.mark.spec("JB-69", "DR-15")
def test_two_commands_at_once_make_one_certificate_for_each_name(hedgerow_cloud: TestCloud, tmp_path: Path) -> None:
    iot, table = hedgerow_cloud.client("iot"), tmp_path / "devices.csv"
    names = [f"box-{n}" for n in range(20)]
    table.write_text("name\n" + "".join(f"{name}\n" for name in names))
    outs = [tmp_path / "here", tmp_path / "there"]

    begun = [
        subprocess.Popen(
            command("create", "--csv", table, "--out", out), env=said(hedgerow_cloud), stderr=subprocess.DEVNULL
        )
        for out in outs
    ]
    for each in begun:
        each.wait(60)

    assert [len(certificates(iot, name)) for name in names] == [1] * 20
    assert sorted(path.parent.name for out in outs for path in out.glob("*/device.pem")) == sorted(names)


@pytest.mark.slow
def test_who_may_not_make_the_default_policy_may_use_it(hedgerow_cloud: TestCloud, tmp_path: Path) -> None:
    iam = hedgerow_cloud.client("iam")
    iam.create_user(UserName="workshop")
    rights = {
        "Statement": [
            {"Effect": "Allow", "Action": ["iot:*", "hedgerow:ProvisionDevice"], "Resource": "*"},
            {"Effect": "Deny", "Action": "iot:CreatePolicy", "Resource": "*"},
        ]
    }
    iam.put_user_policy(UserName="workshop", PolicyName="own", PolicyDocument=json.dumps(rights))
    key = iam.create_access_key(UserName="workshop")["AccessKey"]
    session = hedgerow_cloud.process.session(key["AccessKeyId"], key["SecretAccessKey"])
    workshop = dataclasses.replace(hedgerow_cloud, session=session)

    missing = create(workshop, "lamp", "--out", tmp_path / "lamp")
    create(hedgerow_cloud, "other", "--out", tmp_path / "other")
    made = create(workshop, "lamp", "--out", tmp_path / "lamp")

    assert missing.returncode == 2
    assert "Policy" in missing.stderr
    assert made.returncode == 0, made.stderr


@pytest.mark.slow
def test_a_folder_with_another_devices_certificate_is_not_taken_for_this_ones(
    hedgerow_cloud: TestCloud, tmp_path: Path
) -> None:
    out = tmp_path / "a folder"
    made = create(hedgerow_cloud, "a", "--out", out)

    again = create(hedgerow_cloud, "a", "--out", out, "--group", "nowhere")
    other = create(hedgerow_cloud, "b", "--out", out)
    hedgerow_cloud.client("iot").detach_thing_principal(
        thingName="a", principal=certificates(hedgerow_cloud.client("iot"), "a")[0]
    )
    gone = create(hedgerow_cloud, "a", "--out", out)

    assert made.returncode == 0
    assert f"--key '{out / 'device.key'}'" in made.stdout
    assert again.returncode == 0
    assert "a was made before, and is left as it was" in again.stdout
    assert other.returncode == 2
    assert f"b: {out} holds a certificate that is not one of b's" in other.stderr
    assert gone.returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["create", "provision"])
def test_files_that_cannot_be_read_or_written_are_one_line(
    hedgerow_cloud: TestCloud, tmp_path: Path, verb: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "device.key").mkdir(parents=True)

    for out, why in ((tmp_path / "file" / "lamp", "cannot write"), (tmp_path / "folder", "cannot read")):
        done = run(hedgerow_cloud, verb, "lamp", "--out", out)

        assert done.returncode == 2
        assert f"{why} {tmp_path}" in done.stderr
        assert "Traceback" not in done.stderr
    assert hedgerow_cloud.client("iot").list_things()["things"] == []


def deployed(greengrass: Any, core: str) -> list[str]:
    try:
        found = greengrass.list_effective_deployments(coreDeviceThingName=core)["effectiveDeployments"]
    except ClientError:  # it has not told of itself yet
        return []
    return [each["coreDeviceExecutionStatus"] for each in found]


@pytest.mark.slow
@pytest.mark.spec("JB-68", "JB-72", "JB-73")
def test_a_device_is_provisioned_by_one_command_and_goes_on_when_the_answer_was_lost(
    hedgerow_cloud: TestCloud, tmp_path: Path, edges: list[Edge]
) -> None:
    iot, folder = hedgerow_cloud.client("iot"), tmp_path / "pump"
    create(hedgerow_cloud, "other", "--out", tmp_path / "other")
    asked = ("provision", "pump", "--attribute", "site=north", "--out", folder)

    wrong = run(hedgerow_cloud, *asked, "--component", "none")
    empty = run(hedgerow_cloud, *asked, "--shadow", "")
    refused = run(hedgerow_cloud, *asked, "--component", "none=1.0.0")
    nothing = [one["thingName"] for one in iot.list_things()["things"]]
    greengrass = hedgerow_cloud.client("greengrassv2")
    greengrass.create_component_version(inlineRecipe=recipe("app", "1.0.0", "true"))
    made = run(hedgerow_cloud, *asked, "--component", "app=1.0.0")
    assert made.returncode == 0, made.stderr
    (certificate,) = certificates(iot, "pump")

    assert (wrong.returncode, refused.returncode, made.returncode) == (2, 2, 0), made.stderr
    assert "--component takes NAME=VALUE, not none" in wrong.stderr
    assert "shadow" in empty.stderr
    assert nothing == ["other"]
    assert run(hedgerow_cloud, *asked).returncode == 2
    assert certificates(iot, "pump") == [certificate]
    edges.append(Edge("pump", folder))
    edges[0].start()
    until("pump connected", lambda: is_connected(hedgerow_cloud, "pump"), within_s=20.0)
    until("the first deployment carried out", lambda: deployed(greengrass, "pump") == ["SUCCEEDED"], within_s=20.0)
