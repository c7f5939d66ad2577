from collections.abc import Iterator

import pytest

from hedgerow.base.errors import ServiceError
from hedgerow.core.paging import Pager
from hedgerow.services.logs.groups import LogOperations
from hedgerow.services.logs.groups.model import DAY_MS, parse_filter
from tests.support.store import OTHER_ACCOUNT, MemoryStore

GROUP = {"logGroupName": "/sites"}
STREAM = {"logGroupName": "/sites", "logStreamName": "north"}


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    yield store
    store.engine.dispose()


@pytest.fixture
def logs() -> LogOperations:
    return LogOperations(pager=Pager(b"key"))


def put(store: MemoryStore, logs: LogOperations, *messages: str, at: int | None = None) -> None:
    now = int(store.clock.now() * 1000) if at is None else at
    events = [{"timestamp": now + index, "message": message} for index, message in enumerate(messages)]
    store.run(logs.put_log_events, {**STREAM, "logEvents": events})


@pytest.fixture
def stream(store: MemoryStore, logs: LogOperations) -> None:
    store.run(logs.create_log_group, GROUP)
    store.run(logs.create_log_stream, STREAM)


@pytest.mark.usefixtures("stream")
def test_events_come_back_in_the_order_they_were_put(store: MemoryStore, logs: LogOperations) -> None:
    put(store, logs, "one", "two", "three")

    answer = store.run(logs.get_log_events, {**STREAM, "startFromHead": True})

    assert [event["message"] for event in answer.response["events"]] == ["one", "two", "three"]


@pytest.mark.usefixtures("stream")
def test_the_forward_token_goes_on_where_the_page_ended(store: MemoryStore, logs: LogOperations) -> None:
    put(store, logs, "one", "two", "three")
    first = store.run(logs.get_log_events, {**STREAM, "startFromHead": True, "limit": 2}).response

    second = store.run(logs.get_log_events, {**STREAM, "nextToken": first["nextForwardToken"]}).response

    assert [event["message"] for event in second["events"]] == ["three"]


@pytest.mark.usefixtures("stream")
def test_at_the_end_the_forward_token_stays_the_same(store: MemoryStore, logs: LogOperations) -> None:
    put(store, logs, "one")
    first = store.run(logs.get_log_events, {**STREAM, "startFromHead": True}).response

    last = store.run(logs.get_log_events, {**STREAM, "nextToken": first["nextForwardToken"]}).response

    assert (last["events"], last["nextForwardToken"]) == ([], first["nextForwardToken"])


@pytest.mark.usefixtures("stream")
@pytest.mark.parametrize("token", ["f/00000000000000000001", "f/", "x", "b/eA", "g/"])
def test_a_token_that_was_made_up_is_refused(store: MemoryStore, logs: LogOperations, token: str) -> None:
    put(store, logs, "one")

    with pytest.raises(ServiceError, match="The specified nextToken is invalid"):
        store.run(logs.get_log_events, {**STREAM, "nextToken": token})


@pytest.mark.usefixtures("stream")
def test_a_token_is_good_for_its_own_stream_only(store: MemoryStore, logs: LogOperations) -> None:
    other = {**STREAM, "logStreamName": "south"}
    store.run(logs.create_log_stream, other)
    put(store, logs, "one")
    token = store.run(logs.get_log_events, STREAM).response["nextForwardToken"]

    with pytest.raises(ServiceError, match="The specified nextToken is invalid"):
        store.run(logs.get_log_events, {**other, "nextToken": token})


@pytest.mark.usefixtures("stream")
def test_without_a_token_the_newest_events_come(store: MemoryStore, logs: LogOperations) -> None:
    put(store, logs, "one", "two", "three")

    answer = store.run(logs.get_log_events, {**STREAM, "limit": 2}).response

    assert [event["message"] for event in answer["events"]] == ["two", "three"]


@pytest.mark.usefixtures("stream")
def test_filtering_pages_through_every_match_once(store: MemoryStore, logs: LogOperations) -> None:
    put(store, logs, *(f"fault {index}" if index % 2 else f"fine {index}" for index in range(10)))
    found: list[str] = []
    request = {**GROUP, "filterPattern": "fault", "limit": 2}

    while True:
        answer = store.run(logs.filter_log_events, request).response
        found += [event["message"] for event in answer["events"]]
        if "nextToken" not in answer:
            break
        request["nextToken"] = answer["nextToken"]

    assert found == [f"fault {index}" for index in range(1, 10, 2)]


@pytest.mark.usefixtures("stream")
def test_two_accounts_with_the_same_names_do_not_meet(store: MemoryStore, logs: LogOperations) -> None:
    put(store, logs, "mine")
    store.run(logs.create_log_group, GROUP, OTHER_ACCOUNT)
    store.run(logs.create_log_stream, STREAM, OTHER_ACCOUNT)

    answer = store.run(logs.get_log_events, STREAM, OTHER_ACCOUNT)

    assert answer.response["events"] == []


@pytest.mark.usefixtures("stream")
def test_a_group_that_is_there_is_not_made_again(store: MemoryStore, logs: LogOperations) -> None:
    with pytest.raises(ServiceError, match="already exists"):
        store.run(logs.create_log_group, GROUP)


def test_putting_into_a_group_that_is_absent_names_it(store: MemoryStore, logs: LogOperations) -> None:
    with pytest.raises(ServiceError, match="/sites"):
        put(store, logs, "lost")


@pytest.mark.usefixtures("stream")
def test_events_out_of_order_are_refused_and_nothing_is_stored(store: MemoryStore, logs: LogOperations) -> None:
    now = int(store.clock.now() * 1000)
    events = [{"timestamp": now, "message": "b"}, {"timestamp": now - 1, "message": "a"}]

    with pytest.raises(ServiceError, match="chronological"):
        store.run(logs.put_log_events, {**STREAM, "logEvents": events})

    assert store.run(logs.get_log_events, STREAM).response["events"] == []


@pytest.mark.usefixtures("stream")
def test_events_that_are_too_old_are_left_out_and_said(store: MemoryStore, logs: LogOperations) -> None:
    old = int(store.clock.now() * 1000) - 15 * DAY_MS

    answer = store.run(logs.put_log_events, {**STREAM, "logEvents": [{"timestamp": old, "message": "old"}]})

    assert answer.response["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}


@pytest.mark.usefixtures("stream")
def test_what_is_past_the_retention_is_deleted(store: MemoryStore, logs: LogOperations) -> None:
    put(store, logs, "early")
    store.run(logs.put_retention_policy, {**GROUP, "retentionInDays": 1})
    store.clock.advance(2 * 86_400)

    with store.tx() as tx:
        logs.expire(tx, "123456789012", "/sites")

    assert store.run(logs.get_log_events, STREAM).response["events"] == []


def test_hedgerows_own_logs_make_their_group_and_stream(store: MemoryStore, logs: LogOperations) -> None:
    with store.tx() as tx:
        logs.append(tx, "123456789012", "/aws/lambda/f", "s", [(2, "second"), (1, "first")])

    answer = store.run(logs.get_log_events, {"logGroupName": "/aws/lambda/f", "logStreamName": "s"})

    assert [event["message"] for event in answer.response["events"]] == ["first", "second"]


def test_groups_are_listed_page_by_page(store: MemoryStore, logs: LogOperations) -> None:
    for name in ("a", "b", "c"):
        store.run(logs.create_log_group, {"logGroupName": name})

    first = store.run(logs.describe_log_groups, {"limit": 2}).response
    second = store.run(logs.describe_log_groups, {"limit": 2, "nextToken": first["nextToken"]}).response

    assert [group["logGroupName"] for page in (first, second) for group in page["logGroups"]] == ["a", "b", "c"]
    assert "nextToken" not in second


@pytest.mark.parametrize(
    ("pattern", "message", "passes"),
    [
        ("", "anything", True),
        ("fault raised", "a fault was raised", True),
        ("fault raised", "a fault was cleared", False),
        ('"was raised"', "a fault was raised", True),
        ("fault -cleared", "a fault was cleared", False),
        ("?raised ?cleared", "a fault was cleared", True),
    ],
)
def test_filter_patterns_of_terms(pattern: str, message: str, passes: bool) -> None:
    assert parse_filter(pattern).matches(message) is passes


def test_a_json_filter_pattern_is_refused_by_name() -> None:
    with pytest.raises(ServiceError, match="not there yet"):
        parse_filter("{ $.state = raised }")
