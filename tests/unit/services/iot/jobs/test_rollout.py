"""Rollouts at a rate, jobs that are given up, executions that are tried again, and the numbers of it all."""

from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event

from hedgerow.base.errors import ServiceError
from hedgerow.services.iot.jobs import Status
from hedgerow.services.iot.jobs.progress import progress
from hedgerow.services.iot.jobs.rollout import BATCH
from hedgerow.services.iot.jobs.settings import Rollout
from tests.support.jobs import ARN, Cloud
from tests.support.store import CALLER, OTHER_ACCOUNT


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def fleet(cloud: Cloud, size: int) -> list[str]:
    """Put so many things into the group `top`."""
    names = [f"t{number:03}" for number in range(size)]
    cloud.registry.members["top"].update(names)
    return names


def queued(cloud: Cloud, job: str = "j") -> int:
    return int(cloud.job(job)["jobProcessDetails"]["numberOfQueuedThings"])


def exponential(base: int, factor: float, **criteria: int) -> dict[str, Any]:
    rate = {"baseRatePerMinute": base, "incrementFactor": factor, "rateIncreaseCriteria": criteria}
    return {"exponentialRate": rate}


def abort(failure: str, percentage: float, least: int) -> dict[str, Any]:
    one = {
        "failureType": failure,
        "action": "CANCEL",
        "thresholdPercentage": percentage,
        "minNumberOfExecutedThings": least,
    }
    return {"criteriaList": [one]}


def retry(*criteria: tuple[str, int]) -> dict[str, Any]:
    return {"criteriaList": [{"failureType": failure, "numberOfRetries": times} for failure, times in criteria]}


@pytest.mark.spec("JB-32")
def test_a_constant_rate_brings_the_job_to_so_many_things_a_minute(cloud: Cloud) -> None:
    fleet(cloud, 25)

    cloud.create(group="top", jobExecutionsRolloutConfig={"maximumPerMinute": 10})
    cloud.catch_up()
    seen = [queued(cloud)]
    for seconds in (59, 1, 60):
        cloud.store.clock.advance(seconds)
        cloud.catch_up()
        seen.append(queued(cloud))

    assert seen == [10, 10, 20, 25]
    assert cloud.job()["jobExecutionsRolloutConfig"] == {"maximumPerMinute": 10}


def test_a_rate_above_a_batch_is_reached_within_the_minute(cloud: Cloud) -> None:
    fleet(cloud, 3 * BATCH)

    cloud.create(group="top", jobExecutionsRolloutConfig={"maximumPerMinute": 2 * BATCH + 1})
    cloud.catch_up()

    assert queued(cloud) == 2 * BATCH + 1


def statements_of_a_step(things: int) -> int:
    """Answer how many statements queue a job for so many things."""
    cloud = Cloud()
    fleet(cloud, things)
    seen: list[str] = []
    event.listen(cloud.store.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    cloud.create(group="top")
    return len(seen)


def test_a_step_for_many_things_asks_the_database_no_more_often_than_for_few() -> None:
    assert statements_of_a_step(BATCH - 1) == statements_of_a_step(2)


def test_an_exponential_rate_grows_with_the_things_that_got_the_job(cloud: Cloud) -> None:
    fleet(cloud, 100)

    cloud.create(group="top", jobExecutionsRolloutConfig=exponential(5, 2.0, numberOfNotifiedThings=10))
    cloud.catch_up()
    seen = [queued(cloud)]
    for _ in range(4):
        cloud.store.clock.advance(60)
        cloud.catch_up()
        seen.append(queued(cloud))

    assert seen == [5, 10, 20, 40, 100]


def test_an_exponential_rate_is_reckoned_as_people_do() -> None:
    rate = Rollout(base=25, factor=1.4, per_notified=1)

    assert [rate.rate(notified=steps, succeeded=0) for steps in range(3)] == [25, 35, 49]  # 48.99… in floats


def test_a_thing_that_is_deleted_before_its_turn_does_not_hold_the_job_up(cloud: Cloud) -> None:
    targets = [f"{ARN}thing/{name}" for name in ("A", "B", "C")]
    cloud.create(targets=targets, jobExecutionsRolloutConfig={"maximumPerMinute": 1})
    cloud.registry.gone.add("B")

    for _ in range(3):
        cloud.store.clock.advance(60)
        cloud.catch_up()
    for thing in ("A", "C"):
        cloud.publish("j/update", {"status": "SUCCEEDED"}, thing=thing)

    assert cloud.job()["status"] == "COMPLETED"
    assert cloud.job()["jobProcessDetails"]["numberOfQueuedThings"] == 0


def test_an_exponential_rate_by_success_waits_for_it(cloud: Cloud) -> None:
    fleet(cloud, 20)
    cloud.create(group="top", jobExecutionsRolloutConfig=exponential(2, 3.0, numberOfSucceededThings=2))
    cloud.store.clock.advance(60)
    cloud.catch_up()
    assert queued(cloud) == 4

    for thing in ("t000", "t001"):
        cloud.publish("j/update", {"status": "SUCCEEDED"}, thing=thing)
    cloud.store.clock.advance(60)
    cloud.catch_up()

    assert queued(cloud) == 2 + 6


@given(
    most=st.none() | st.integers(1, 1000),
    base=st.integers(1, 1000),
    factor=st.integers(11, 50),
    per=st.integers(1, 500),
    notified=st.integers(0, 100_000),
)
def test_a_rate_never_falls_while_things_are_notified_and_keeps_to_its_bounds(
    most: int | None, base: int, factor: int, per: int, notified: int
) -> None:
    rollout = Rollout(most=most, base=base, factor=factor / 10, per_notified=per)

    rate = rollout.rate(notified=notified, succeeded=0)

    assert min(base, most or 1000) <= rate <= (most or 1000)
    assert rate <= rollout.rate(notified=notified + per, succeeded=0)


def test_a_rate_is_changed_while_the_rollout_goes_on(cloud: Cloud) -> None:
    fleet(cloud, 30)
    cloud.create(group="top", jobExecutionsRolloutConfig={"maximumPerMinute": 5})

    change = {"jobId": "j", "jobExecutionsRolloutConfig": {"maximumPerMinute": 20}}
    cloud.store.run(cloud.api.update_job, change)
    cloud.store.clock.advance(60)
    cloud.catch_up()

    assert queued(cloud) == 25
    assert cloud.job()["jobExecutionsRolloutConfig"] == {"maximumPerMinute": 20}


def test_a_step_that_is_done_twice_queues_nothing_twice(cloud: Cloud) -> None:
    fleet(cloud, BATCH)
    cloud.create(group="top", jobExecutionsRolloutConfig={"maximumPerMinute": 50})

    with cloud.store.tx() as tx:
        cloud.jobs.roll_out(tx, CALLER.account, "j", "")
    cloud.catch_up()

    listed = cloud.store.run(cloud.executions.list_job_executions_for_job, {"jobId": "j", "maxResults": 250})
    things = [one["thingArn"] for one in listed.response["executionSummaries"]]
    assert (len(things), len(set(things)), queued(cloud)) == (50, 50, 50)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    rate=st.integers(1, 7),
    steps=st.lists(st.tuples(st.sampled_from(["wait", "again", "extend"]), st.integers(1, 90)), max_size=8),
)
def test_whatever_happens_a_minute_has_no_more_things_than_the_rate_says(
    rate: int, steps: list[tuple[str, int]]
) -> None:
    cloud = Cloud()
    fleet(cloud, 30)
    cloud.create(group="top", targetSelection="CONTINUOUS", jobExecutionsRolloutConfig={"maximumPerMinute": rate})
    waited = 0

    for step, seconds in steps:
        if step == "wait":
            waited += seconds
            cloud.store.clock.advance(seconds)
        elif step == "again":
            with cloud.store.tx() as tx:
                cloud.jobs.roll_out(tx, CALLER.account, "j", "")
        else:
            targets = [f"{ARN}thing/x{seconds}"]
            cloud.store.run(cloud.api.associate_targets_with_job, {"jobId": "j", "targets": targets})
        cloud.catch_up()

        assert queued(cloud) <= rate * (waited // 60 + 1)


def test_further_targets_of_a_job_keep_to_its_rate(cloud: Cloud) -> None:
    fleet(cloud, 4)
    rate = {"maximumPerMinute": 3}
    cloud.create(group="top", targetSelection="CONTINUOUS", jobExecutionsRolloutConfig=rate)

    targets = [f"{ARN}thing/{name}" for name in ("a", "b", "c")]
    cloud.store.run(cloud.api.associate_targets_with_job, {"jobId": "j", "targets": targets})
    at_once = queued(cloud)
    cloud.store.clock.advance(60)
    cloud.catch_up()
    in_time = queued(cloud)
    cloud.store.clock.advance(60)
    cloud.catch_up()

    assert (at_once, in_time, queued(cloud)) == (3, 6, 7)


def test_who_joins_a_continuous_job_gets_it_whatever_the_rate(cloud: Cloud) -> None:
    fleet(cloud, 1)
    rate = {"maximumPerMinute": 1}
    cloud.create(group="top", targetSelection="CONTINUOUS", jobExecutionsRolloutConfig=rate)

    cloud.move("late", "top", joined=True)

    assert cloud.status(thing="late") == "QUEUED"


def test_a_job_whose_last_things_fill_the_minute_is_complete_with_them(cloud: Cloud) -> None:
    fleet(cloud, 2)
    cloud.create(group="top", jobExecutionsRolloutConfig={"maximumPerMinute": 2})

    for thing in ("t000", "t001"):
        cloud.publish("j/update", {"status": "SUCCEEDED"}, thing=thing)

    assert cloud.job()["status"] == "COMPLETED"


def test_a_canceled_job_goes_to_nobody_more(cloud: Cloud) -> None:
    fleet(cloud, 5)
    cloud.create(group="top", jobExecutionsRolloutConfig={"maximumPerMinute": 2})

    cloud.store.run(cloud.api.cancel_job, {"jobId": "j"})
    cloud.store.clock.advance(60)
    cloud.catch_up()

    details = cloud.job()["jobProcessDetails"]
    assert (details["numberOfQueuedThings"], details["numberOfCanceledThings"]) == (0, 2)


@pytest.mark.spec("JB-32")
def test_a_job_is_given_up_when_too_many_fail(cloud: Cloud) -> None:
    fleet(cloud, 10)
    cloud.switch("JOB")
    cloud.create(group="top", abortConfig=abort("FAILED", 50, 4))

    for thing, status in (("t000", "FAILED"), ("t001", "SUCCEEDED"), ("t002", "FAILED")):
        cloud.publish("j/update", {"status": status}, thing=thing)
    before = cloud.job()["status"]
    cloud.publish("j/update", {"status": "IN_PROGRESS"}, thing="t004")
    cloud.publish("j/update", {"status": "REJECTED"}, thing="t003")

    job = cloud.job()
    assert (before, job["status"], job["reasonCode"]) == ("IN_PROGRESS", "CANCELED", "ABORT_CRITERIA_MET")
    assert job["comment"] == "2 of 4 executions ended as FAILED: at least 50 %."
    assert (cloud.status(thing="t004"), cloud.status(thing="t009")) == ("IN_PROGRESS", "CANCELED")
    assert [topic for topic, _ in cloud.events()] == ["job/j/cancellation_in_progress", "job/j/canceled"]


def test_a_job_goes_on_while_fewer_fail(cloud: Cloud) -> None:
    fleet(cloud, 4)
    cloud.create(group="top", abortConfig=abort("ALL", 75, 2))

    for thing, status in (("t000", "FAILED"), ("t001", "SUCCEEDED"), ("t002", "REJECTED"), ("t003", "SUCCEEDED")):
        cloud.publish("j/update", {"status": status}, thing=thing)

    assert cloud.job()["status"] == "COMPLETED"


@pytest.mark.spec("JB-32")
def test_what_failed_is_tried_again_as_often_as_wanted(cloud: Cloud) -> None:
    cloud.create(jobExecutionsRetryConfig=retry(("FAILED", 2)))

    told = [cloud.publish("j/update", {"status": "FAILED"})[2] for _ in range(2)]
    status = cloud.job()["status"]
    cloud.publish("j/update", {"status": "FAILED"})

    nexts = [messages["$aws/things/T/jobs/notify-next"]["execution"] for messages in told]
    assert [(one["executionNumber"], one["versionNumber"], one["status"]) for one in nexts] == [
        (2, 1, "QUEUED"),
        (3, 1, "QUEUED"),
    ]
    assert (status, cloud.job()["status"]) == ("IN_PROGRESS", "COMPLETED")
    listed = cloud.store.run(cloud.executions.list_job_executions_for_job, {"jobId": "j"}).response
    summaries = [one["jobExecutionSummary"] for one in listed["executionSummaries"]]
    assert [(one["status"], one.get("retryAttempt")) for one in summaries] == [
        ("FAILED", None),
        ("FAILED", 1),
        ("FAILED", 2),
    ]
    assert cloud.job()["jobProcessDetails"]["numberOfFailedThings"] == 3


def test_each_way_of_failing_has_its_own_number_of_retries(cloud: Cloud) -> None:
    cloud.create(
        jobExecutionsRetryConfig=retry(("FAILED", 1), ("TIMED_OUT", 1)),
        timeoutConfig={"inProgressTimeoutInMinutes": 1},
    )

    cloud.publish("j/update", {"status": "FAILED"})
    cloud.publish("start-next")
    cloud.store.clock.advance(60)
    cloud.catch_up()
    assert cloud.status() == "QUEUED"
    cloud.publish("start-next")
    cloud.store.clock.advance(60)
    cloud.catch_up()

    assert (cloud.status(), cloud.job()["status"]) == ("TIMED_OUT", "COMPLETED")


@pytest.mark.parametrize("status", ["REJECTED", "SUCCEEDED"])
def test_what_was_rejected_or_succeeded_is_not_tried_again(cloud: Cloud, status: str) -> None:
    cloud.create(jobExecutionsRetryConfig=retry(("ALL", 3)))

    cloud.publish("j/update", {"status": status})

    assert (cloud.status(), cloud.job()["status"]) == (status, "COMPLETED")


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("jobExecutionsRolloutConfig", {"maximumPerMinute": 1001}, "maximumPerMinute"),
        ("jobExecutionsRolloutConfig", exponential(1, 2.0), "one of"),
        (
            "jobExecutionsRolloutConfig",
            exponential(1, 2.0, numberOfNotifiedThings=1, numberOfSucceededThings=1),
            "one of",
        ),
        ("jobExecutionsRolloutConfig", exponential(1, 1.25, numberOfNotifiedThings=1), "incrementFactor"),
        ("abortConfig", abort("ALL", 0, 1), "thresholdPercentage"),
        ("abortConfig", abort("ALL", 12.345, 1), "thresholdPercentage"),
        ("jobExecutionsRetryConfig", retry(("FAILED", 1), ("FAILED", 2)), "one retry criterion"),
        ("jobExecutionsRetryConfig", retry(("FAILED", 1), ("ALL", 2)), "stands alone"),
        ("jobExecutionsRetryConfig", retry(("FAILED", 6), ("TIMED_OUT", 5)), "10 times"),
    ],
)
def test_settings_that_cannot_be_are_refused(cloud: Cloud, member: str, value: dict[str, Any], words: str) -> None:
    with pytest.raises(ServiceError, match=words):
        cloud.create("j", **cast("Any", {member: value}))


def test_settings_are_shown_as_they_were_given(cloud: Cloud) -> None:
    given_: Any = {
        "jobExecutionsRolloutConfig": {
            "maximumPerMinute": 50,
            **exponential(5, 1.5, numberOfSucceededThings=7),
        },
        "abortConfig": abort("TIMED_OUT", 12.5, 3),
        "jobExecutionsRetryConfig": retry(("FAILED", 1), ("TIMED_OUT", 2)),
        "timeoutConfig": {"inProgressTimeoutInMinutes": 5},
    }

    cloud.create("j", **given_)

    assert {name: cloud.job()[name] for name in given_} == given_


def test_a_job_without_a_row_of_numbers_is_counted_once_and_goes_on(cloud: Cloud) -> None:
    fleet(cloud, 3)
    cloud.create(group="top")
    with cloud.store.tx() as tx:
        tx.run(delete(progress))

    assert queued(cloud) == 3
    for thing in ("t000", "t001", "t002"):
        cloud.publish("j/update", {"status": "SUCCEEDED"}, thing=thing)

    assert cloud.job()["status"] == "COMPLETED"
    assert cloud.job()["jobProcessDetails"]["numberOfSucceededThings"] == 3


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["start", "SUCCEEDED", "FAILED", "REJECTED", "cancel", "delete", "leave", "join", "wait"]),
        st.sampled_from(["t000", "t001", "t002"]),
    ),
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_the_numbers_kept_are_those_that_counting_gives(steps: list[tuple[str, str]]) -> None:
    cloud = Cloud()
    fleet(cloud, 3)
    cloud.create(
        group="top",
        targetSelection="CONTINUOUS",
        jobExecutionsRetryConfig=retry(("ALL", 1)),
        timeoutConfig={"inProgressTimeoutInMinutes": 1},
        jobExecutionsRolloutConfig={"maximumPerMinute": 2},
    )

    for step, thing in steps:
        act(cloud, step, thing)

    with cloud.store.tx() as tx:
        counted = cloud.rows.executions.counts(tx, CALLER.account, "j")
        kept = cloud.rows.progress(tx, CALLER.account, "j")
    assert {status: kept.counts.get(status, 0) for status in Status} == {
        status: counted.get(status, 0) for status in Status
    }


def act(cloud: Cloud, step: str, thing: str) -> None:
    """Do one thing to the job; what is refused changes nothing."""
    pair = {"jobId": "j", "thingName": thing}
    try:
        match step:
            case "start":
                cloud.publish("start-next", thing=thing)
            case "cancel":
                cloud.store.run(cloud.executions.cancel_job_execution, {**pair, "force": True})
            case "delete":
                cloud.store.run(cloud.executions.delete_job_execution, {**pair, "executionNumber": 1, "force": True})
            case "leave" | "join":
                cloud.move(thing, "top", joined=step == "join")
            case "wait":
                cloud.store.clock.advance(60)
                cloud.catch_up()
            case _:
                cloud.publish("j/update", {"status": step}, thing=thing)
    except ServiceError:
        pass


@pytest.mark.spec("AL-08")
def test_the_numbers_of_two_accounts_do_not_meet(cloud: Cloud) -> None:
    cloud.create()
    target = f"arn:aws:iot:{OTHER_ACCOUNT.region}:{OTHER_ACCOUNT.account}:thing/T"
    cloud.store.run(cloud.api.create_job, {"jobId": "j", "targets": [target], "document": "{}"}, caller=OTHER_ACCOUNT)

    cloud.publish("j/update", {"status": "SUCCEEDED"})

    theirs = cloud.store.run(cloud.api.describe_job, {"jobId": "j"}, caller=OTHER_ACCOUNT).response["job"]
    assert theirs["jobProcessDetails"]["numberOfQueuedThings"] == 1
