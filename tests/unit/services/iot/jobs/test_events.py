"""What is told of jobs on `$aws/events/…`."""

from typing import Any

import pytest

from tests.support.jobs import ARN, Cloud
from tests.support.store import OTHER_ACCOUNT


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def plain(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != "eventId"}


@pytest.mark.spec("JB-32")
def test_the_end_of_an_execution_and_of_its_job_are_told_in_this_order(cloud: Cloud) -> None:
    cloud.switch("JOB", "JOB_EXECUTION")
    cloud.create(description="a job")
    now = int(cloud.store.clock.now())

    cloud.publish("j/update", {"status": "SUCCEEDED", "statusDetails": {"step": "last"}})

    (on_execution, execution), (on_job, job) = cloud.events()
    assert (on_execution, on_job) == ("jobExecution/j/succeeded", "job/j/completed")
    assert plain(execution) == {
        "eventType": "JOB_EXECUTION",
        "timestamp": now,
        "operation": "succeeded",
        "jobId": "j",
        "thingArn": f"{ARN}thing/T",
        "status": "SUCCEEDED",
        "statusDetails": {"step": "last"},
    }
    assert plain(job) == {
        "eventType": "JOB",
        "timestamp": now,
        "operation": "completed",
        "jobId": "j",
        "status": "COMPLETED",
        "targetSelection": "SNAPSHOT",
        "targets": [f"{ARN}thing/T"],
        "createdAt": now * 1000,
        "lastUpdatedAt": now * 1000,
        "completedAt": now * 1000,
        "description": "a job",
        "jobProcessDetails": {
            "numberOfCanceledThings": 0,
            "numberOfRejectedThings": 0,
            "numberOfFailedThings": 0,
            "numberOfRemovedThings": 0,
            "numberOfSucceededThings": 1,
        },
    }
    assert execution["eventId"] != job["eventId"]


def test_a_cancellation_and_a_deletion_are_told_when_they_begin_and_when_they_are_done(cloud: Cloud) -> None:
    cloud.switch("JOB", "JOB_EXECUTION")
    cloud.create()

    cloud.store.run(cloud.api.cancel_job, {"jobId": "j", "comment": "no more"})
    cloud.store.run(cloud.api.delete_job, {"jobId": "j"})

    assert [topic for topic, _ in cloud.events()] == [
        "job/j/cancellation_in_progress",
        "jobExecution/j/canceled",
        "job/j/canceled",
        "job/j/deletion_in_progress",
        "jobExecution/j/deleted",
        "job/j/deleted",
    ]
    assert cloud.events()[2][1]["comment"] == "no more"


def test_what_is_switched_off_is_not_told(cloud: Cloud) -> None:
    cloud.switch("JOB_EXECUTION")
    cloud.switch("JOB", caller=OTHER_ACCOUNT)
    cloud.create()

    cloud.publish("j/update", {"status": "FAILED"})

    assert [topic for topic, _ in cloud.events()] == ["jobExecution/j/failed"]
