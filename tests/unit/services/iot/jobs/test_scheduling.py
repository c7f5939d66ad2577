"""Jobs that begin later, end some time, and have maintenance windows."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hedgerow.base.errors import ServiceError
from tests.support.jobs import ARN, Cloud

NOW = datetime(2027, 1, 15, 8, 0, tzinfo=UTC).timestamp()  # a Friday; FakeClock's own beginning
START, END = "2027-01-15T09:00", "2027-01-15T12:00"
HOUR_S = 3600.0


@pytest.fixture
def cloud() -> Cloud:
    made = Cloud()
    assert made.store.clock.now() == NOW
    return made


def fleet(cloud: Cloud, *names: str) -> None:
    cloud.registry.members["top"].update(names)


def wait(cloud: Cloud, hours: float) -> None:
    cloud.store.clock.advance(hours * HOUR_S)
    cloud.catch_up()


def windows(start: str, minutes: int) -> dict[str, Any]:
    window = {"startTime": start, "durationInMinutes": minutes}
    return {"startTime": START, "maintenanceWindows": [window]}


@pytest.mark.spec("JB-32")
def test_a_scheduled_job_goes_to_those_who_are_there_when_it_begins(cloud: Cloud) -> None:
    fleet(cloud, "early")
    cloud.create(group="top", schedulingConfig={"startTime": START})
    before = (cloud.job()["status"], cloud.job()["jobProcessDetails"]["numberOfQueuedThings"])
    fleet(cloud, "late")

    wait(cloud, 1)

    assert before == ("SCHEDULED", 0)
    assert cloud.job()["status"] == "IN_PROGRESS"
    assert [cloud.status(thing=name) for name in ("early", "late")] == ["QUEUED", "QUEUED"]
    assert cloud.job()["schedulingConfig"] == {"startTime": START}


def test_a_scheduled_job_that_is_canceled_never_begins(cloud: Cloud) -> None:
    fleet(cloud, "T")
    cloud.create(group="top", schedulingConfig={"startTime": START})

    cloud.store.run(cloud.api.cancel_job, {"jobId": "j"})
    wait(cloud, 2)

    assert cloud.job()["status"] == "CANCELED"
    assert cloud.job()["jobProcessDetails"]["numberOfQueuedThings"] == 0


def test_a_job_with_the_id_of_a_deleted_one_does_not_begin_with_it(cloud: Cloud) -> None:
    cloud.create(schedulingConfig={"startTime": START})
    cloud.store.run(cloud.api.delete_job, {"jobId": "j", "force": True})
    cloud.create(schedulingConfig={"startTime": END})

    wait(cloud, 1.5)

    assert cloud.job()["status"] == "SCHEDULED"


def test_a_scheduled_job_is_deleted_only_by_force(cloud: Cloud) -> None:
    cloud.create(schedulingConfig={"startTime": START})

    with pytest.raises(ServiceError) as caught:
        cloud.store.run(cloud.api.delete_job, {"jobId": "j"})

    assert caught.value.code == "InvalidStateTransitionException"
    assert cloud.job()["status"] == "SCHEDULED"


def test_a_thing_that_is_deleted_before_a_job_begins_does_not_hold_it_up(cloud: Cloud) -> None:
    cloud.create(thing="T", schedulingConfig={"startTime": START})

    cloud.registry.gone.add("T")
    wait(cloud, 2)

    assert cloud.job()["status"] == "COMPLETED"


def test_at_its_end_a_rollout_stops_and_what_runs_goes_on(cloud: Cloud) -> None:
    fleet(cloud, "a", "b", "c")
    rate = {"maximumPerMinute": 1}
    cloud.create(group="top", jobExecutionsRolloutConfig=rate, schedulingConfig={"endTime": "2027-01-15T08:30"})
    cloud.publish("start-next", thing="a")

    cloud.store.clock.advance(0.5 * HOUR_S)
    with cloud.store.tx() as tx:
        cloud.jobs.end(tx, "123456789012", "j")
    wait(cloud, 1)
    status = cloud.job()["status"]
    cloud.publish("j/update", {"status": "SUCCEEDED"}, thing="a")

    assert (status, cloud.job()["status"]) == ("IN_PROGRESS", "COMPLETED")
    details = cloud.job()["jobProcessDetails"]
    assert (details["numberOfSucceededThings"], details["numberOfQueuedThings"]) == (1, 0)


def test_a_continuous_job_is_complete_once_its_end_has_come_and_nothing_is_pending(cloud: Cloud) -> None:
    fleet(cloud, "a")
    cloud.create(group="top", targetSelection="CONTINUOUS", schedulingConfig={"endTime": END})
    cloud.publish("j/update", {"status": "SUCCEEDED"}, thing="a")
    before = cloud.job()["status"]

    wait(cloud, 4)
    cloud.move("late", "top", joined=True)

    assert (before, cloud.job()["status"]) == ("IN_PROGRESS", "COMPLETED")
    assert cloud.job()["jobProcessDetails"]["numberOfQueuedThings"] == 0


def test_a_stopped_job_is_complete_when_the_last_thing_that_has_it_leaves(cloud: Cloud) -> None:
    fleet(cloud, "a")
    cloud.create(group="top", targetSelection="CONTINUOUS", schedulingConfig={"endTime": END})
    wait(cloud, 4)
    before = cloud.job()["status"]

    cloud.move("a", "top", joined=False)

    assert (before, cloud.job()["status"]) == ("IN_PROGRESS", "COMPLETED")


@pytest.mark.parametrize(("at_end", "running"), [("CANCEL", "IN_PROGRESS"), ("FORCE_CANCEL", "CANCELED")])
def test_at_its_end_a_job_is_canceled_when_that_is_wanted(cloud: Cloud, at_end: str, running: str) -> None:
    fleet(cloud, "a", "b")
    cloud.create(group="top", schedulingConfig={"endTime": END, "endBehavior": at_end})
    cloud.publish("start-next", thing="a")

    wait(cloud, 4)

    assert (cloud.job()["status"], cloud.job()["reasonCode"]) == ("CANCELED", "SCHEDULED_END_TIME_REACHED")
    assert (cloud.status(thing="a"), cloud.status(thing="b")) == (running, "CANCELED")


def test_a_job_goes_out_in_its_windows_only_and_to_newcomers_in_the_next_one(cloud: Cloud) -> None:
    fleet(cloud, "a")
    cloud.create(group="top", targetSelection="CONTINUOUS", schedulingConfig=windows("cron(0 10 ? * * *)", 60))

    seen = []
    for hours, newcomer in ((1.5, "b"), (1.0, "c"), (1.5, "d"), (22, None)):
        wait(cloud, hours)  # 9:30, 10:30, 12:00, 10:00 on the next day
        if newcomer:
            cloud.move(newcomer, "top", joined=True)
        seen.append(cloud.job()["jobProcessDetails"]["numberOfQueuedThings"])

    assert seen == [0, 3, 3, 4]


def test_a_described_job_tells_its_next_windows(cloud: Cloud) -> None:
    given = windows("cron(0 18 ? * MON *)", 30)
    cloud.create(group="top", targetSelection="CONTINUOUS", schedulingConfig=given)

    job = cloud.job()

    assert job["schedulingConfig"] == given
    assert [one["startTime"] for one in job["scheduledJobRollouts"]] == [
        f"2027-{month:02}-{day:02}T18:00" for month, day in ((1, 18), (1, 25), (2, 1), (2, 8), (2, 15), (2, 22), (3, 1))
    ]


@pytest.mark.parametrize(
    ("config", "continuous", "words"),
    [
        ({"startTime": "soon"}, False, "must follow the format YYYY-MM-DDThh:mm"),
        ({"startTime": "2027-1-15T9:00"}, False, "must follow the format"),
        ({"startTime": "2027-01-15T08:29"}, False, "30 minutes"),
        ({"startTime": "2028-02-01T00:00"}, False, "one year"),
        ({"startTime": START, "endTime": "2027-01-15T09:29"}, False, "EndTime"),
        ({"startTime": START, "endTime": "2030-01-15T09:29"}, False, "two years"),
        ({"startTime": START, "endBehavior": "CANCEL"}, False, "without EndTime"),
        (windows("cron(0 18 ? * MON *)", 30), False, "cannot be used with SNAPSHOT job"),
        ({**windows("cron(0 18 ? * MON *)", 30), "startTime": None}, True, "without StartTime"),
        (windows("every monday", 30), True, "cannot be read"),
        (windows("cron(0 0 30 2 ? *)", 60), True, "No MaintenanceWindow opens"),
        ({**windows("cron(0 18 ? * MON *)", 30), "endTime": END}, True, "No MaintenanceWindow opens"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(
    cloud: Cloud, config: dict[str, Any], continuous: bool, words: str
) -> None:
    config = {name: value for name, value in config.items() if value is not None}

    with pytest.raises(ServiceError, match=words):
        cloud.create(group="top", targetSelection="CONTINUOUS" if continuous else "SNAPSHOT", schedulingConfig=config)


def test_scheduled_jobs_are_listed_as_such(cloud: Cloud) -> None:
    cloud.create("now")
    cloud.create("later", schedulingConfig={"startTime": START})

    listed = cloud.store.run(cloud.api.list_jobs, {"status": "SCHEDULED"}).response["jobs"]

    assert [job["jobArn"] for job in listed] == [f"{ARN}job/later"]
