import json
from typing import Any

import pytest
from sqlalchemy import select, update

from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Caller
from hedgerow.core.events import Published
from hedgerow.services.iot.jobs.changes import BATCH as ENDED_AT_ONCE
from hedgerow.services.iot.jobs.rollout import BATCH
from hedgerow.services.iot.jobs.store import jobs
from hedgerow.store.tx import follow_ups
from tests.support.jobs import ARN, NAMESPACE, Cloud, messages
from tests.support.store import CALLER, OTHER_ACCOUNT


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.mark.spec("JB-32")
def test_a_new_job_is_announced_to_its_thing(cloud: Cloud) -> None:
    told = messages(cloud.create())

    assert list(told) == ["$aws/things/T/jobs/notify", "$aws/things/T/jobs/notify-next"]
    assert [one["jobId"] for one in told["$aws/things/T/jobs/notify"]["jobs"]["QUEUED"]] == ["j"]
    assert told["$aws/things/T/jobs/notify-next"]["execution"]["jobDocument"] == {"do": "it"}


@pytest.mark.spec("JB-32")
def test_a_device_starts_and_finishes_its_job(cloud: Cloud) -> None:
    cloud.create()

    what, started, told_at_start = cloud.publish("start-next", {"statusDetails": {"step": "1"}, "clientToken": "t"})
    what_then, updated, told_at_end = cloud.publish(
        "j/update", {"status": "SUCCEEDED", "expectedVersion": "2", "includeJobExecutionState": True}
    )

    assert (what, started["clientToken"], started["execution"]["status"]) == ("accepted", "t", "IN_PROGRESS")
    assert (started["execution"]["versionNumber"], started["execution"]["statusDetails"]) == (2, {"step": "1"})
    assert told_at_start == {}
    assert (what_then, updated["executionState"]["versionNumber"]) == ("accepted", 3)
    assert told_at_end["$aws/things/T/jobs/notify"]["jobs"] == {}
    assert "execution" not in told_at_end["$aws/things/T/jobs/notify-next"]
    assert (cloud.status(), cloud.job()["status"]) == ("SUCCEEDED", "COMPLETED")


def test_start_next_without_a_job_is_accepted_without_an_execution(cloud: Cloud) -> None:
    assert cloud.publish("start-next", {})[:2] == ("accepted", {"timestamp": 1_800_000_000})
    assert cloud.publish("$next/get")[:2] == ("accepted", {"timestamp": 1_800_000_000})


def test_the_queue_is_in_progress_first_then_in_the_order_of_creation(cloud: Cloud) -> None:
    for job in ("z", "a", "m"):
        cloud.create(job)
    cloud.publish("m/update", {"status": "IN_PROGRESS"})

    _, reply, _ = cloud.publish("get")

    assert [one["jobId"] for one in reply["inProgressJobs"]] == ["m"]
    assert [one["jobId"] for one in reply["queuedJobs"]] == ["z", "a"]


def test_a_later_job_that_goes_in_progress_is_announced_as_next(cloud: Cloud) -> None:
    cloud.create("a")
    cloud.create("b")

    _, _, told = cloud.publish("b/update", {"status": "IN_PROGRESS"})

    assert list(told) == ["$aws/things/T/jobs/notify-next"]
    assert told["$aws/things/T/jobs/notify-next"]["execution"]["jobId"] == "b"


def test_jobs_of_a_namespace_have_topics_of_their_own(cloud: Cloud) -> None:
    told = messages(cloud.create(namespaceId=NAMESPACE))

    _, plain, _ = cloud.publish("$next/get")
    _, reply, _ = cloud.publish(f"$next/namespace-{NAMESPACE}/get", {"jobId": "$next", "thingName": "T"})
    what, _, after = cloud.publish(f"j/namespace-{NAMESPACE}/update", {"status": "SUCCEEDED"})

    assert list(told) == [
        f"$aws/things/T/jobs/notify-namespace-{NAMESPACE}",
        f"$aws/things/T/jobs/notify-next-namespace-{NAMESPACE}",
    ]
    assert "execution" not in plain
    assert (reply["execution"]["jobId"], reply["execution"]["jobDocument"]) == ("j", {"do": "it"})
    assert what == "accepted"
    assert f"$aws/things/T/jobs/notify-namespace-{NAMESPACE}" in after


@pytest.mark.parametrize(
    ("topic", "body", "code"),
    [
        ("x/get", {}, "ResourceNotFound"),
        ("j/other/get", {}, "InvalidTopic"),
        ("j/namespace-x/get", {}, "ResourceNotFound"),
        ("j/update", {}, "InvalidRequest"),
        ("j/update", {"status": "DONE"}, "InvalidRequest"),
        ("j/update", {"status": "CANCELED"}, "InvalidStateTransition"),
        ("j/update", {"status": "FAILED", "expectedVersion": 7}, "VersionMismatch"),
        ("j/update", {"status": "FAILED", "statusDetails": {"k": "\n"}}, "InvalidRequest"),
        ("j/update", {"status": "FAILED", "statusDetails": {"k" * 129: "v"}}, "InvalidRequest"),
        ("j/update", {"status": "IN_PROGRESS", "stepTimeoutInMinutes": 0}, "InvalidRequest"),
        ("j/update", {"status": "FAILED", "expectedVersion": "--1"}, "InvalidRequest"),
        ("j/update", {"status": "FAILED", "expectedVersion": "\u0661"}, "InvalidRequest"),
        ("j/get", [], "InvalidJson"),
    ],
)
def test_a_faulty_device_request_is_rejected_with_its_code(cloud: Cloud, topic: str, body: Any, code: str) -> None:
    cloud.create()

    what, reply, told = cloud.publish(topic, body)

    assert (what, reply["code"], told) == ("rejected", code, {})
    assert cloud.status() == "QUEUED"


def test_a_version_mismatch_tells_the_current_state_and_echoes_the_token(cloud: Cloud) -> None:
    cloud.create()

    _, reply, _ = cloud.publish("j/update", {"status": "FAILED", "expectedVersion": 7, "clientToken": "t"})

    assert (reply["clientToken"], reply["executionState"]["versionNumber"]) == ("t", 1)


def test_a_finished_execution_changes_no_more(cloud: Cloud) -> None:
    cloud.create()
    cloud.publish("j/update", {"status": "REJECTED"})

    assert cloud.publish("j/update", {"status": "IN_PROGRESS"})[1]["code"] == "InvalidStateTransition"
    assert cloud.publish("j/get")[1]["code"] == "TerminalStateReached"


def test_a_step_that_takes_too_long_times_out(cloud: Cloud) -> None:
    cloud.create()
    cloud.publish("start-next", {"stepTimeoutInMinutes": 5})
    cloud.store.clock.advance(299)
    early = cloud.catch_up()
    cloud.store.clock.advance(1)
    told = cloud.catch_up()

    assert early == {}
    assert told["$aws/things/T/jobs/notify"]["jobs"] == {}
    assert cloud.status() == "TIMED_OUT"


def test_a_step_timer_is_set_anew_and_stopped_by_updates(cloud: Cloud) -> None:
    cloud.create()
    cloud.publish("start-next", {"stepTimeoutInMinutes": 5})
    cloud.publish("j/update", {"status": "IN_PROGRESS", "stepTimeoutInMinutes": 10})
    cloud.store.clock.advance(300)
    cloud.catch_up()
    still = cloud.status()
    cloud.publish("j/update", {"status": "IN_PROGRESS", "stepTimeoutInMinutes": -1})
    cloud.store.clock.advance(10_000)
    cloud.catch_up()

    assert (still, cloud.status()) == ("IN_PROGRESS", "IN_PROGRESS")


def test_a_timer_that_comes_just_as_the_clock_is_set_back_is_not_lost(cloud: Cloud) -> None:
    cloud.create()
    cloud.publish("start-next", {"stepTimeoutInMinutes": 5})
    cloud.store.clock.advance(299)

    with cloud.store.tx() as tx:  # it was due a moment ago
        cloud.jobs.time_out(tx, CALLER.account, "j", "T", 1)

    assert cloud.status() == "TIMED_OUT"


def test_a_timer_goes_on_when_the_clock_is_set_forward(cloud: Cloud) -> None:
    cloud.create(timeoutConfig={"inProgressTimeoutInMinutes": 60})
    cloud.publish("start-next", {"stepTimeoutInMinutes": 10})
    cloud.store.clock.advance(60)
    cloud.store.clock.set_forward(7 * 86_400)
    cloud.catch_up()
    cloud.publish("j/update", {"status": "IN_PROGRESS"})

    seen = []
    for seconds in (9 * 60 - 1, 1):
        cloud.store.clock.advance(seconds)
        cloud.catch_up()
        seen.append(cloud.status())

    assert seen == ["IN_PROGRESS", "TIMED_OUT"]


def test_a_timer_that_was_set_after_the_clock_is_not_put_off(cloud: Cloud) -> None:
    cloud.create(timeoutConfig={"inProgressTimeoutInMinutes": 60})
    cloud.publish("start-next", {})
    cloud.store.clock.set_forward(1800)
    cloud.publish("j/update", {"status": "IN_PROGRESS", "stepTimeoutInMinutes": 10})

    cloud.store.clock.advance(600)
    cloud.catch_up()

    assert cloud.status() == "TIMED_OUT"


def test_the_jobs_own_timer_counts_from_the_start(cloud: Cloud) -> None:
    cloud.create(timeoutConfig={"inProgressTimeoutInMinutes": 1})
    cloud.store.clock.advance(600)
    cloud.catch_up()
    queued = cloud.status()
    _, reply, _ = cloud.publish("start-next", {})
    cloud.store.clock.advance(60)
    cloud.catch_up()

    assert (queued, cloud.status()) == ("QUEUED", "TIMED_OUT")
    assert reply["execution"]["approximateSecondsBeforeTimedOut"] == 60


def test_a_continuous_job_goes_to_who_joins_a_group_below(cloud: Cloud) -> None:
    cloud.registry.members["top"].add("T")
    cloud.create(group="top", targetSelection="CONTINUOUS")

    told = cloud.move("U", "sub", joined=True)

    assert told["$aws/things/U/jobs/notify"]["jobs"]["QUEUED"][0]["jobId"] == "j"
    assert cloud.job()["jobProcessDetails"]["numberOfQueuedThings"] == 2


def test_who_leaves_loses_what_is_queued_and_gets_it_again_on_return(cloud: Cloud) -> None:
    cloud.registry.members["top"].add("T")
    cloud.create(group="top", targetSelection="CONTINUOUS")

    told = cloud.move("T", "top", joined=False)
    removed = cloud.status()
    cloud.move("T", "top", joined=True)
    again = cloud.publish("$next/get")[1]["execution"]

    assert (removed, told["$aws/things/T/jobs/notify"]["jobs"]) == ("REMOVED", {})
    assert (again["jobId"], again["executionNumber"]) == ("j", 2)


def test_a_deleted_group_takes_the_jobs_of_the_groups_above_along(cloud: Cloud) -> None:
    cloud.registry.members["sub"].add("T")
    cloud.create(group="top", targetSelection="CONTINUOUS")

    cloud.registry.line_of = lambda tx, account, group: [group] if group == "top" else []  # type: ignore[method-assign]  # sub is gone
    cloud.move("T", "sub", joined=False)

    assert cloud.status() == "REMOVED"


def test_moving_within_the_target_changes_nothing(cloud: Cloud) -> None:
    cloud.registry.members["top"].add("T")
    cloud.create(group="top", targetSelection="CONTINUOUS")
    cloud.publish("j/update", {"status": "SUCCEEDED"})

    told = cloud.move("T", "sub", joined=True) | cloud.move("T", "top", joined=False)

    assert (told, cloud.status(), cloud.job()["status"]) == ({}, "SUCCEEDED", "IN_PROGRESS")


def test_a_snapshot_job_does_not_follow_its_group(cloud: Cloud) -> None:
    cloud.registry.members["top"].add("T")
    cloud.create(group="top")

    assert cloud.move("U", "top", joined=True) == {}


def test_a_large_group_is_rolled_out_in_batches(cloud: Cloud) -> None:
    cloud.registry.members["top"].update(f"t{number:03}" for number in range(250))
    cloud.create(group="top")
    at_first = cloud.job()["jobProcessDetails"]["numberOfQueuedThings"]
    cloud.catch_up()

    assert (at_first, cloud.job()["jobProcessDetails"]["numberOfQueuedThings"]) == (BATCH, 250)
    assert cloud.job()["status"] == "IN_PROGRESS"


def test_large_cancellations_and_deletions_go_on_in_batches(cloud: Cloud) -> None:
    cloud.registry.members["top"].update(f"t{number:03}" for number in range(2 * ENDED_AT_ONCE))
    cloud.create(group="top")
    cloud.catch_up()

    cloud.store.run(cloud.api.cancel_job, {"jobId": "j"})
    cloud.catch_up()
    canceled = cloud.job()["jobProcessDetails"]["numberOfCanceledThings"]
    cloud.store.run(cloud.api.delete_job, {"jobId": "j"})
    deleting = cloud.job()["status"]
    cloud.catch_up()

    assert (canceled, deleting) == (2 * ENDED_AT_ONCE, "DELETION_IN_PROGRESS")
    with pytest.raises(ServiceError, match="cannot be found"):
        cloud.job()


def test_a_job_with_the_id_of_a_deleted_one_is_not_canceled_with_it(cloud: Cloud) -> None:
    cloud.registry.members["top"].update(f"t{number:03}" for number in range(2 * ENDED_AT_ONCE))
    cloud.create(group="top")
    cloud.catch_up()
    cloud.store.run(cloud.api.cancel_job, {"jobId": "j"})  # half of it is left for later
    cloud.store.run(cloud.api.delete_job, {"jobId": "j"})

    with cloud.store.tx() as tx:
        left = tx.all(select(follow_ups.c.kind).where(follow_ups.c.key == "j"))

    assert [row.kind for row in left] == ["job-deletion"]


def test_a_snapshot_of_an_empty_group_is_complete_at_once(cloud: Cloud) -> None:
    cloud.create(group="top")

    assert cloud.job()["status"] == "COMPLETED"


def test_canceling_ends_what_is_queued_and_by_force_what_is_in_progress(cloud: Cloud) -> None:
    cloud.registry.members["top"].update({"A", "B"})
    for job in ("soft", "hard"):
        cloud.create(job, group="top")
        cloud.publish(f"{job}/update", {"status": "IN_PROGRESS"}, thing="A")

    cloud.store.run(cloud.api.cancel_job, {"jobId": "soft"})
    cloud.store.run(cloud.api.cancel_job, {"jobId": "hard", "force": True, "reasonCode": "BAD", "comment": "c"})

    assert [cloud.status("soft", "A"), cloud.status("soft", "B")] == ["IN_PROGRESS", "CANCELED"]
    assert [cloud.status("hard", "A"), cloud.status("hard", "B")] == ["CANCELED", "CANCELED"]
    assert (cloud.job("hard")["reasonCode"], cloud.job("hard")["forceCanceled"]) == ("BAD", True)


def test_what_is_queued_for_a_deleted_thing_is_removed_and_its_jobs_go_on(cloud: Cloud) -> None:
    cloud.registry.members["top"].update({"gone", "there"})
    cloud.create(group="top")
    cloud.create("running", thing="gone")
    cloud.publish("running/update", {"status": "IN_PROGRESS"}, thing="gone")

    cloud.registry.gone.add("gone")
    with cloud.store.tx() as tx:
        cloud.rows.executions.thing_removed(tx, CALLER.account, "gone")
    cloud.catch_up()
    cloud.publish("j/update", {"status": "SUCCEEDED"}, thing="there")

    assert cloud.status(thing="gone") == "REMOVED"
    assert cloud.status("running", thing="gone") == "IN_PROGRESS"
    assert cloud.job()["status"] == "COMPLETED"


def test_a_thing_that_is_there_again_keeps_what_is_queued(cloud: Cloud) -> None:
    cloud.create()

    with cloud.store.tx() as tx:
        cloud.rows.executions.thing_removed(tx, CALLER.account, "T")
    cloud.catch_up()

    assert cloud.status() == "QUEUED"


def test_a_thing_without_jobs_costs_nothing_later_when_it_goes(cloud: Cloud) -> None:
    with cloud.store.tx() as tx:
        cloud.rows.executions.thing_removed(tx, CALLER.account, "T")
        assert tx.scheduled is None


def test_one_execution_is_canceled_alone(cloud: Cloud) -> None:
    cloud.create()
    cloud.publish("start-next", {})
    request = {"jobId": "j", "thingName": "T"}

    with pytest.raises(ServiceError, match="use force"):
        cloud.store.run(cloud.executions.cancel_job_execution, request)
    with pytest.raises(ServiceError, match="version"):
        cloud.store.run(cloud.executions.cancel_job_execution, {**request, "expectedVersion": 9})
    cloud.store.run(cloud.executions.cancel_job_execution, {**request, "force": True, "statusDetails": {"why": "x"}})

    assert cloud.status() == "CANCELED"


def test_one_execution_is_deleted_alone(cloud: Cloud) -> None:
    cloud.create()
    cloud.publish("start-next", {})
    request = {"jobId": "j", "thingName": "T", "executionNumber": 1}

    with pytest.raises(ServiceError, match="use force"):
        cloud.store.run(cloud.executions.delete_job_execution, request)
    told = messages(cloud.store.run(cloud.executions.delete_job_execution, {**request, "force": True}))

    assert told["$aws/things/T/jobs/notify"]["jobs"] == {}
    assert cloud.job()["status"] == "COMPLETED"
    with pytest.raises(ServiceError, match="not found"):
        cloud.status()


def test_a_continuous_job_takes_further_targets(cloud: Cloud) -> None:
    cloud.registry.members["sub"].add("S")
    cloud.create(targetSelection="CONTINUOUS")
    cloud.create("snapshot")
    request = {"jobId": "j", "targets": [f"{ARN}thinggroup/sub", f"{ARN}thing/T"], "comment": "more"}

    told = messages(cloud.store.run(cloud.api.associate_targets_with_job, request))
    later = cloud.move("U", "sub", joined=True)
    with pytest.raises(ServiceError, match="not a continuous job"):
        cloud.store.run(cloud.api.associate_targets_with_job, {**request, "jobId": "snapshot"})

    assert list(told) == ["$aws/things/S/jobs/notify", "$aws/things/S/jobs/notify-next"]
    assert "$aws/things/U/jobs/notify" in later
    assert cloud.job()["targets"] == [f"{ARN}thing/T", f"{ARN}thinggroup/sub"]


def test_a_jobs_description_and_timeout_can_be_changed(cloud: Cloud) -> None:
    cloud.create()
    change = {"jobId": "j", "description": "d", "timeoutConfig": {"inProgressTimeoutInMinutes": 1}}
    cloud.store.run(cloud.api.update_job, change)
    cloud.publish("start-next", {})
    cloud.store.clock.advance(60)
    cloud.catch_up()

    assert (cloud.job()["description"], cloud.status()) == ("d", "TIMED_OUT")
    with pytest.raises(ServiceError, match="cannot be updated"):
        cloud.store.run(cloud.api.update_job, change)


def test_a_deleted_job_leaves_the_queue_and_its_id_is_free(cloud: Cloud) -> None:
    cloud.create()

    with pytest.raises(ServiceError) as caught:
        cloud.store.run(cloud.api.delete_job, {"jobId": "j"})
    told = messages(cloud.store.run(cloud.api.delete_job, {"jobId": "j", "force": True}))
    cloud.create()

    assert caught.value.code == "InvalidStateTransitionException"
    assert told["$aws/things/T/jobs/notify"]["jobs"] == {}
    assert cloud.status() == "QUEUED"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"jobId": "taken"}, "ResourceAlreadyExistsException"),
        ({"targets": [f"{ARN}thing/missing"]}, "ResourceNotFoundException"),
        ({"targets": [f"{ARN}thinggroup/missing"]}, "ResourceNotFoundException"),
        ({"targets": [f"{ARN}policy/p"]}, "InvalidRequestException"),
        ({"targets": ["arn:aws:iot:eu-central-1:210987654321:thing/T"]}, "InvalidRequestException"),
        ({"targets": []}, "InvalidRequestException"),
        ({"targets": [f"{ARN}thing/t{number}" for number in range(101)]}, "LimitExceededException"),
        ({"document": None}, "InvalidRequestException"),
        ({"document": "{"}, "InvalidRequestException"),
        ({"document": "[]"}, "InvalidRequestException"),
        ({"document": '{"a":"${aws:iot:code-sign-signature:s3://x}"}'}, "NotImplementedException"),
        ({"documentSource": "https://s3/x"}, "InvalidRequestException"),
        ({"timeoutConfig": {"inProgressTimeoutInMinutes": 0}}, "InvalidRequestException"),
    ],
)
def test_a_faulty_job_is_refused(cloud: Cloud, change: dict[str, Any], code: str) -> None:
    cloud.create("taken")

    with pytest.raises(ServiceError) as caught:
        cloud.create(**{"job": change.pop("jobId", "j"), **change})

    assert caught.value.code == code


def test_jobs_are_listed_newest_first_page_by_page(cloud: Cloud) -> None:
    for number in range(5):
        cloud.create(f"j{number}", group="top" if number == 3 else None)
        cloud.store.clock.advance(1)

    names: list[str] = []
    request: dict[str, Any] = {"maxResults": 2}
    while True:
        response = cloud.store.run(cloud.api.list_jobs, request).response
        names += [job["jobId"] for job in response["jobs"]]
        if "nextToken" not in response:
            break
        request["nextToken"] = response["nextToken"]
    of_group = cloud.store.run(cloud.api.list_jobs, {"thingGroupName": "top"}).response["jobs"]

    assert names == ["j4", "j3", "j2", "j1", "j0"]
    assert [job["jobId"] for job in of_group] == ["j3"]


def test_executions_are_listed_by_job_and_by_thing(cloud: Cloud) -> None:
    cloud.registry.members["top"].update({"A", "B", "C"})
    cloud.create("one", group="top")
    cloud.create("two", thing="A")
    cloud.publish("one/update", {"status": "FAILED"}, thing="A")

    first = cloud.store.run(cloud.executions.list_job_executions_for_job, {"jobId": "one", "maxResults": 2}).response
    rest = cloud.store.run(
        cloud.executions.list_job_executions_for_job, {"jobId": "one", "maxResults": 2, "nextToken": first["nextToken"]}
    ).response
    of_thing = cloud.store.run(cloud.executions.list_job_executions_for_thing, {"thingName": "A"}).response
    failed = cloud.store.run(
        cloud.executions.list_job_executions_for_thing, {"thingName": "A", "status": "FAILED"}
    ).response

    arns = [one["thingArn"] for one in first["executionSummaries"] + rest["executionSummaries"]]
    assert arns == [f"{ARN}thing/{name}" for name in "ABC"]
    assert [one["jobId"] for one in of_thing["executionSummaries"]] == ["two", "one"]
    assert [one["jobId"] for one in failed["executionSummaries"]] == ["one"]


def test_by_http_the_document_is_a_text_and_notifications_follow(cloud: Cloud) -> None:
    cloud.create()

    started = cloud.store.run(cloud.data.start_next_pending_job_execution, {"thingName": "T"})
    described = cloud.store.run(cloud.data.describe_job_execution, {"thingName": "T", "jobId": "$next"})
    cloud.store.run(
        cloud.data.update_job_execution,
        {"thingName": "T", "jobId": "j", "status": "SUCCEEDED", "statusDetails": {"a": "b"}},
    )
    pending = cloud.store.run(cloud.data.get_pending_job_executions, {"thingName": "T"})

    assert json.loads(started.response["execution"]["jobDocument"]) == {"do": "it"}
    assert described.response["execution"]["status"] == "IN_PROGRESS"
    assert "$aws/things/T/jobs/notify-next" in cloud.catch_up()
    assert pending.response == {"inProgressJobs": [], "queuedJobs": []}


def test_a_terminal_execution_is_410_by_http(cloud: Cloud) -> None:
    cloud.create()
    cloud.publish("j/update", {"status": "SUCCEEDED"})

    with pytest.raises(ServiceError) as caught:
        cloud.store.run(cloud.data.describe_job_execution, {"thingName": "T", "jobId": "j"})

    assert caught.value.code == "TerminalStateException"


def test_a_job_that_was_written_down_by_an_older_cloud_is_read_as_it_was(cloud: Cloud) -> None:
    cloud.create(timeoutConfig={"inProgressTimeoutInMinutes": 7}, description="old")
    with cloud.store.tx() as tx:
        (row,) = tx.all(select(jobs))
        body = json.loads(row.body)
        known = ("things", "groups", "description", "rolled_out", "reason_code", "comment", "forced")
        old = {name: body[name] for name in (*known, "updated_at", "completed_at")} | {"timeout_minutes": 7}
        tx.run(update(jobs).values(body=json.dumps(old)))

    assert cloud.job()["timeoutConfig"] == {"inProgressTimeoutInMinutes": 7}
    assert cloud.job()["description"] == "old"
    cloud.publish("j/update", {"status": "SUCCEEDED"})
    assert cloud.job()["status"] == "COMPLETED"


def test_two_accounts_with_the_same_names_do_not_meet(cloud: Cloud) -> None:
    cloud.create()
    theirs: Caller = OTHER_ACCOUNT
    target = f"arn:aws:iot:{theirs.region}:{theirs.account}:thing/T"
    request = {"jobId": "j", "targets": [target], "document": '{"whose":"theirs"}'}
    answer = cloud.store.run(cloud.api.create_job, request, caller=theirs)

    cloud.publish("j/update", {"status": "SUCCEEDED"})

    execution = cloud.store.run(cloud.data.describe_job_execution, {"thingName": "T", "jobId": "j"}, caller=theirs)
    assert execution.response["execution"]["status"] == "QUEUED"
    assert {event.account for event in answer.events if isinstance(event, Published)} == {theirs.account}
