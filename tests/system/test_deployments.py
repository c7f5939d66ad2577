"""Deployments to edges through the real cloud when what is deployed is bad."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hedgerow.testing import TestCloud
from tests.support.components import IDLE, deploy, deployment, installed, processes, put
from tests.support.sites import Edge, Fleet, fleet_of
from tests.support.waiting import until

SOON_S = 40.0


@pytest.fixture
def fleet(hedgerow_cloud: TestCloud, tmp_path: Path) -> Iterator[Fleet]:
    with fleet_of(hedgerow_cloud, tmp_path) as made:
        yield made


@pytest.fixture
def edge(fleet: Fleet) -> Edge:
    """An edge that runs `meter` 1.0.0."""
    edge = fleet.enrolled("site-01")
    put(fleet.cloud, "meter", "1.0.0")
    deploy(fleet.cloud, meter="1.0.0")
    edge.says(f"deployment {deployment(meter='1.0.0')} SUCCEEDED", within_s=SOON_S)
    return edge


def blob(cloud: TestCloud, content: str) -> Path:
    """Answer the file in the cloud's folder that holds this content."""
    digest = hashlib.sha256(content.encode()).hexdigest()
    (found,) = (cloud.process.data / "blobs" / cloud.account).rglob(digest)
    return found


def reported(cloud: TestCloud) -> tuple[str, str]:
    """Answer status and reason of the latest deployment, as the core reported it."""
    found = cloud.client("greengrassv2").list_effective_deployments(coreDeviceThingName="site-01")
    latest = max(found["effectiveDeployments"], key=lambda each: each["creationTimestamp"])
    return latest["coreDeviceExecutionStatus"], latest.get("reason", "")


@pytest.mark.slow
@pytest.mark.spec("JB-79")
def test_a_corrupt_artifact_is_refused_and_the_old_version_keeps_running(fleet: Fleet, edge: Edge) -> None:
    cloud = fleet.cloud
    script = f"{IDLE}# two\n"
    put(cloud, "meter", "2.0.0", script)
    damaged = blob(cloud, script)
    damaged.chmod(0o600)
    damaged.write_text(script.replace("60", "61"))
    before = processes(edge)

    deploy(cloud, meter="2.0.0")
    edge.says(f"deployment {deployment(meter='2.0.0')} FAILED: the artifact", within_s=SOON_S)

    assert "the digest of" in edge.console()
    assert processes(edge) == before == [("meter", "1.0.0")]
    assert not list(edge.root.glob("**/2.0.0/main.py"))
    until("the report", lambda: reported(cloud)[0] == "FAILED")
    assert "digest" in reported(cloud)[1]
    assert installed(cloud, "site-01")["meter"] == ("1.0.0", "RUNNING")


@pytest.mark.slow
@pytest.mark.spec("JB-55", "JB-79", "BS-48")
def test_a_version_that_does_not_stay_up_is_rolled_back_and_the_next_one_is_taken(fleet: Fleet, edge: Edge) -> None:
    cloud = fleet.cloud
    put(cloud, "meter", "2.0.0", "raise SystemExit('no radio')\n")
    put(cloud, "meter", "3.0.0")

    deploy(cloud, meter="2.0.0")
    edge.says(f"deployment {deployment(meter='2.0.0')} FAILED", within_s=SOON_S)
    after_failure = until("the old one", lambda: processes(edge))
    deploy(cloud, meter="3.0.0")
    edge.says(f"deployment {deployment(meter='3.0.0')} SUCCEEDED", within_s=SOON_S)

    assert after_failure == [("meter", "1.0.0")]
    assert processes(edge) == [("meter", "3.0.0")]
