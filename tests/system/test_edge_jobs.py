"""Jobs of an edge: made through boto3, run by handlers on the device, seen through boto3."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from hedgerow.testing import TestCloud
from tests.support.sites import Fleet, fleet_of
from tests.support.waiting import until

SITE = "site-01"


@pytest.fixture
def fleet(hedgerow_cloud: TestCloud, tmp_path: Path) -> Iterator[Fleet]:
    with fleet_of(hedgerow_cloud, tmp_path) as made:
        yield made


def start(fleet: Fleet, job_id: str, *actions: dict[str, Any], **more: Any) -> None:
    document = {"version": "1.0", "steps": [{"action": action} for action in actions], "includeStdOut": True}
    target = f"arn:aws:iot:{fleet.cloud.region}:{fleet.cloud.account}:thing/{SITE}"
    fleet.cloud.client("iot").create_job(jobId=job_id, targets=[target], document=json.dumps(document), **more)


def execution(fleet: Fleet, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = fleet.cloud.client("iot").describe_job_execution(jobId=job_id, thingName=SITE)["execution"]
    return found


def ended(fleet: Fleet, job_id: str) -> dict[str, Any]:
    done = {"SUCCEEDED", "FAILED", "REJECTED", "CANCELED"}
    return until(
        f"the end of {job_id}",
        lambda: found if (found := execution(fleet, job_id))["status"] in done else None,
        within_s=20.0,
    )


def handler(fleet: Fleet, name: str, text: str) -> None:
    path = fleet.folder / SITE / "jobs" / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)


@pytest.mark.slow
@pytest.mark.spec("JB-32")
def test_an_edge_runs_jobs_tells_their_output_and_goes_on_after_a_kill(fleet: Fleet) -> None:
    edge = fleet.enrolled(SITE)
    handler(fleet, "greet.sh", 'echo "hello $2, this is $HEDGEROW_THING_NAME"')
    logs = fleet.folder / "log"
    handler(fleet, "reboot.sh", 'echo "no, $#"')
    managed = f"arn:aws:iot:{fleet.cloud.region}::jobtemplate/AWS-Reboot:1.0"
    target = f"arn:aws:iot:{fleet.cloud.region}:{fleet.cloud.account}:thing/{SITE}"

    fleet.cloud.client("iot").create_job(jobId="managed", targets=[target], jobTemplateArn=managed)
    start(fleet, "greet", {"type": "runHandler", "input": {"handler": "greet.sh", "args": ["world"]}})
    start(fleet, "unknown", {"type": "runHandler", "input": {"handler": "none.sh"}})
    script = f"echo attempt $HEDGEROW_JOB_ATTEMPT >> {logs}; test $HEDGEROW_JOB_ATTEMPT = 2 || sleep 600"
    start(fleet, "long", {"type": "runScript", "input": {"script": script}})

    greeted, unknown = ended(fleet, "greet"), ended(fleet, "unknown")
    assert (greeted["status"], greeted["statusDetails"]["detailsMap"]["stdout"]) == (
        "SUCCEEDED",
        "hello world, this is site-01",
    )
    assert ended(fleet, "managed")["status"] == "SUCCEEDED"
    assert unknown["status"] == "FAILED"
    assert "there is no handler none.sh" in unknown["statusDetails"]["detailsMap"]["reason"]
    until("the long job under way", lambda: logs.exists() and "attempt 1" in logs.read_text())
    edge.kill()
    edge.start()
    assert ended(fleet, "long")["status"] == "SUCCEEDED"
    assert logs.read_text().split() == ["attempt", "1", "attempt", "2"]


@pytest.mark.slow
def test_a_certificate_is_rotated_by_a_job_and_the_old_one_ends(fleet: Fleet) -> None:
    edge = fleet.enrolled(SITE)
    iot = fleet.cloud.client("iot")
    (old,) = iot.list_thing_principals(thingName=SITE)["principals"]

    start(fleet, "rotate", {"type": "rotateCertificate"})
    done = ended(fleet, "rotate")

    assert done["status"] == "SUCCEEDED", done
    (new,) = iot.list_thing_principals(thingName=SITE)["principals"]
    assert done["statusDetails"]["detailsMap"]["stdout"] == f"certificate {new.rpartition('/')[2]}"
    assert iot.list_attached_policies(target=new)["policies"]
    described = iot.describe_certificate(certificateId=old.rpartition("/")[2])["certificateDescription"]
    assert (described["status"], iot.list_attached_policies(target=old)["policies"]) == ("INACTIVE", [])
    assert (edge.root / "identity" / "1" / "private.key").stat().st_mode & 0o777 == 0o600
    assert edge.stop() == 0
    edge.start()
    until("connected with the new one", lambda: edge.console().count(f"as {SITE}\n") >= 3)
    start(fleet, "again", {"type": "rotateCertificate"})
    assert ended(fleet, "again")["status"] == "SUCCEEDED"
    until("the key before it removed", lambda: not (edge.root / "identity" / "1").exists())


@pytest.mark.slow
@pytest.mark.spec("JB-32")
def test_a_job_is_cancelled_by_force_and_logs_are_sent_to_a_bucket(fleet: Fleet) -> None:
    fleet.enrolled(SITE)
    begun = fleet.folder / "begun"
    address = f"https://{fleet.cloud.host}:{fleet.cloud.process.ready['https_port']}"
    s3 = fleet.cloud.client("s3", endpoint_url=address, config=Config(signature_version="s3v4"))
    fleet.cloud.client("s3").create_bucket(Bucket="logs-of-devices")
    url = s3.generate_presigned_url("put_object", {"Bucket": "logs-of-devices", "Key": "site-01.tar.gz"})

    start(fleet, "stuck", {"type": "runCommand", "input": {"command": f"sh,-c,touch {begun}; sleep 600"}})
    until("the stuck job under way", begun.exists)
    fleet.cloud.client("iot").cancel_job(jobId="stuck", force=True)
    start(fleet, "logs", {"type": "collectLogs", "input": {"uploadUrl": url}})

    sent = ended(fleet, "logs")
    assert sent["status"] == "SUCCEEDED", sent["statusDetails"]
    assert execution(fleet, "stuck")["status"] == "CANCELED"
    data = fleet.cloud.client("s3").get_object(Bucket="logs-of-devices", Key="site-01.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert "greengrass.log" in archive.getnames()
