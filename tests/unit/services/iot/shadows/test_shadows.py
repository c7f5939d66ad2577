import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from hedgerow.api.authorisation import resource_arn
from hedgerow.base.errors import ServiceError
from hedgerow.cloud.operations.iot_data import rows
from hedgerow.core.caller import Caller
from hedgerow.core.events import Published
from hedgerow.core.paging import Pager
from hedgerow.core.topics import TopicRequest
from hedgerow.services.iot.shadows import ShadowLimits, ShadowOperations, Shadows, ShadowTopics
from hedgerow.services.iot.shadows.store import ShadowStore, shadows
from hedgerow.store import Answer
from hedgerow.store.tx import follow_ups
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryStore

DAY = 24 * 3600


class Cloud:
    """The shadow subject on a store in memory."""

    def __init__(self, limits: ShadowLimits | None = None) -> None:
        self.store = MemoryStore()
        rows = ShadowStore()
        self.shadows = Shadows(store=rows, limits=limits or ShadowLimits())
        self.api = ShadowOperations(shadows=self.shadows, store=rows, pager=Pager(b"key"))
        self.topics = ShadowTopics(shadows=self.shadows)

    def update(self, document: Any, caller: Caller = CALLER, **names: str) -> Answer:
        payload = json.dumps(document).encode()
        return self.store.run(
            self.api.update_thing_shadow, {"thingName": "T", "payload": payload, **names}, caller=caller
        )

    def get(self, caller: Caller = CALLER, **names: str) -> Any:
        answer = self.store.run(self.api.get_thing_shadow, {"thingName": "T", **names}, caller=caller)
        return json.loads(answer.response["payload"])

    def delete(self, **names: str) -> Answer:
        return self.store.run(self.api.delete_thing_shadow, {"thingName": "T", **names})

    def rows(self) -> Any:
        """Everything that is kept of shadows and for later."""
        with self.store.tx() as tx:
            return [tx.all(select(table)) for table in (shadows, follow_ups)]

    def publish(self, what: str, payload: bytes, *parts: str) -> dict[str, Any]:
        parts = parts or ("T",)
        topic = f"$aws/things/{'/shadow/name/'.join(parts)}{'/shadow' if len(parts) == 1 else ''}/{what}"
        request = TopicRequest(topic=topic, parts=parts, payload=payload)
        with self.store.tx() as tx:
            return messages(getattr(self.topics, what)(tx, request, CALLER))


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def messages(answer: Answer) -> dict[str, Any]:
    return {event.topic: json.loads(event.payload) for event in answer.events if isinstance(event, Published)}


@pytest.mark.spec("JB-42")
def test_an_update_is_kept_and_read_back_with_its_delta(cloud: Cloud) -> None:
    cloud.update({"state": {"desired": {"colour": "red"}, "reported": {"colour": "blue"}}})

    document = cloud.get()

    assert document["state"] == {
        "desired": {"colour": "red"},
        "reported": {"colour": "blue"},
        "delta": {"colour": "red"},
    }
    assert document["metadata"]["desired"] == {"colour": {"timestamp": 1_800_000_000}}
    assert (document["version"], document["timestamp"]) == (1, 1_800_000_000)


@pytest.mark.spec("JB-42")
def test_an_update_by_mqtt_publishes_delta_documents_and_accepted_in_this_order(cloud: Cloud) -> None:
    told = cloud.publish("update", b'{"state":{"desired":{"a":1}},"clientToken":"t"}')

    assert list(told) == [
        "$aws/things/T/shadow/update/delta",
        "$aws/things/T/shadow/update/documents",
        "$aws/things/T/shadow/update/accepted",
    ]
    delta, documents, accepted = told.values()
    assert (delta["state"], delta["version"], delta["clientToken"]) == ({"a": 1}, 1, "t")
    assert (documents["previous"], documents["current"]["state"]) == (None, {"desired": {"a": 1}})
    assert accepted["state"] == {"desired": {"a": 1}}


def test_accepted_holds_only_what_was_sent_with_its_nulls(cloud: Cloud) -> None:
    cloud.update({"state": {"reported": {"a": 1, "b": 2}}})

    answer = json.loads(cloud.update({"state": {"reported": {"a": None}}}).response["payload"])

    assert (answer["state"], answer["metadata"]) == ({"reported": {"a": None}}, {"reported": {}})
    assert cloud.get()["state"] == {"reported": {"b": 2}}


def test_an_update_over_http_is_published_too(cloud: Cloud) -> None:
    answer = cloud.update({"state": {"reported": {"a": 1}}}, shadowName="n")

    assert set(messages(answer)) == {
        "$aws/things/T/shadow/name/n/update/documents",
        "$aws/things/T/shadow/name/n/update/accepted",
    }


def test_named_shadows_are_apart_from_the_classic_one_and_listed(cloud: Cloud) -> None:
    for name in ("b", "a", "c"):
        cloud.update({"state": {"reported": {"name": name}}}, shadowName=name)
    cloud.update({"state": {"reported": {"name": "classic"}}})

    first = cloud.store.run(cloud.api.list_named_shadows_for_thing, {"thingName": "T", "pageSize": 2}).response
    second = cloud.store.run(
        cloud.api.list_named_shadows_for_thing, {"thingName": "T", "pageSize": 2, "nextToken": first["nextToken"]}
    ).response

    assert (first["results"], second["results"]) == (["a", "b"], ["c"])
    assert "nextToken" not in second
    assert cloud.get()["state"]["reported"] == {"name": "classic"}


def test_a_stale_version_is_refused_and_changes_nothing(cloud: Cloud) -> None:
    cloud.update({"state": {"reported": {"a": 1}}})
    cloud.update({"state": {"reported": {"a": 2}}, "version": 1})

    told = cloud.publish("update", b'{"state":{"reported":{"a":3}},"version":1,"clientToken":"t"}')

    assert told == {
        "$aws/things/T/shadow/update/rejected": {
            "code": 409,
            "message": "Version conflict",
            "timestamp": 1_800_000_000,
            "clientToken": "t",
        }
    }
    assert cloud.get()["state"] == {"reported": {"a": 2}}


def test_a_missing_shadow_is_404_with_the_token_echoed(cloud: Cloud) -> None:
    told = cloud.publish("get", b'{"clientToken":"t"}', "T", "n")

    rejected = told["$aws/things/T/shadow/name/n/get/rejected"]
    assert (rejected["code"], rejected["message"], rejected["clientToken"]) == (
        404,
        "No shadow exists with name: 'n'",
        "t",
    )


def test_too_many_requests_at_once_are_refused_with_their_token(cloud: Cloud) -> None:
    request = TopicRequest(topic="$aws/things/T/shadow/update", parts=("T",), payload=b'{"state":{},"clientToken":"t"}')
    before = cloud.rows()

    with cloud.store.tx() as tx:
        told = messages(cloud.topics.too_many(tx, request, CALLER))

    assert told == {
        "$aws/things/T/shadow/update/rejected": {
            "code": 429,
            "message": "Too many requests",
            "timestamp": 1_800_000_000,
            "clientToken": "t",
        }
    }
    assert cloud.rows() == before


def test_get_by_mqtt_is_answered_to_everyone_who_listens(cloud: Cloud) -> None:
    cloud.update({"state": {"reported": {"a": 1}}})

    told = cloud.publish("get", b"")

    assert told["$aws/things/T/shadow/get/accepted"]["state"] == {"reported": {"a": 1}}


def test_versions_go_on_counting_after_a_deletion(cloud: Cloud) -> None:
    cloud.update({"state": {"reported": {"a": 1}}})
    told = messages(cloud.delete())

    cloud.update({"state": {"reported": {"b": 1}}})

    assert told["$aws/things/T/shadow/delete/accepted"]["version"] == 1
    assert (cloud.get()["version"], cloud.get()["state"]) == (2, {"reported": {"b": 1}})


def test_two_days_after_a_deletion_versions_begin_again(cloud: Cloud) -> None:
    cloud.update({"state": {"reported": {"a": 1}}})
    cloud.delete()
    cloud.store.clock.advance(2 * DAY)

    cloud.update({"state": {}})

    assert cloud.get()["version"] == 1


def test_deleting_twice_is_refused(cloud: Cloud) -> None:
    cloud.update({"state": {}})
    cloud.delete()

    with pytest.raises(ServiceError, match="No shadow exists"):
        cloud.delete()


def test_a_state_above_8_kb_is_refused_but_not_in_the_deployment_shadow(cloud: Cloud) -> None:
    document = {"state": {"desired": {"fleetConfig": "x" * 20_000}}}

    cloud.update(document, shadowName="AWSManagedGreengrassV2Deployment")
    with pytest.raises(ServiceError) as caught:
        cloud.update(document)

    assert caught.value.code == "RequestEntityTooLargeException"


def test_a_name_that_no_shadow_can_have_is_refused_by_mqtt(cloud: Cloud) -> None:
    told = cloud.publish("update", b'{"state":{}}', "T", "a b")

    assert [message["code"] for message in told.values()] == [400]


def test_a_named_shadow_without_a_name_is_not_the_classic_one(cloud: Cloud) -> None:
    told = cloud.publish("update", b'{"state":{"reported":{"a":1}},"clientToken":"t"}', "T", "")

    (topic, message), *others = told.items()
    assert (topic, message["code"], message["clientToken"]) == (
        "$aws/things/T/shadow/name//update/rejected",
        400,
        "t",
    )
    assert others == []
    with pytest.raises(ServiceError, match="No shadow exists"):
        cloud.get()


STATES = st.none() | st.dictionaries(
    st.sampled_from(["desired", "reported", "delta", "other"]),
    st.none() | st.dictionaries(st.sampled_from("ab"), st.sampled_from([None, 1, [1], [None], {"c": 2}, {}])),
    max_size=2,
)
REQUESTS = st.lists(
    st.tuples(st.just("delete"), st.just(b""))
    | st.tuples(
        st.just("update"),
        st.fixed_dictionaries({"state": STATES}, optional={"version": st.integers(-1, 3)}).map(
            lambda document: json.dumps(document).encode()
        )
        | st.sampled_from([b"{", b"[]", b"{}", b"\xff", b'{"state":{"reported":{"a":"' + b"x" * 8192 + b'"}}}']),
    ),
    max_size=6,
)


@given(REQUESTS)
@settings(deadline=None)
def test_what_is_rejected_changes_nothing_and_what_is_accepted_is_told_in_order(
    requests: list[tuple[str, bytes]],
) -> None:
    cloud = Cloud()
    version, known = 0, None
    for what, payload in requests:
        before = cloud.rows()
        told = {
            topic.removeprefix("$aws/things/T/shadow/"): told for topic, told in cloud.publish(what, payload).items()
        }

        if f"{what}/rejected" in told:
            assert (len(told), cloud.rows()) == (1, before)
        elif what == "delete":
            assert told == {"delete/accepted": {"version": version, "timestamp": 1_800_000_000}}
            known = None
        else:
            version += 1
            current = cloud.get()
            documents = told["update/documents"]
            assert [message["version"] for topic, message in told.items() if topic != "update/documents"] == [
                version
            ] * (len(told) - 1)
            assert (documents["previous"], documents["current"]["version"], current["version"]) == (
                known,
                version,
                version,
            )
            assert told.get("update/delta", {}).get("state") == current["state"].get("delta")
            known = documents["current"]


def test_two_accounts_with_the_same_names_do_not_meet(cloud: Cloud) -> None:
    cloud.update({"state": {"reported": {"whose": "mine"}}})
    answer = cloud.update({"state": {"reported": {"whose": "theirs"}}}, caller=OTHER_ACCOUNT)

    assert cloud.get()["state"]["reported"] == {"whose": "mine"}
    assert cloud.get(caller=OTHER_ACCOUNT)["state"]["reported"] == {"whose": "theirs"}
    assert {event.account for event in answer.events if isinstance(event, Published)} == {OTHER_ACCOUNT.account}


@pytest.mark.parametrize("operation", ["GetThingShadow", "UpdateThingShadow", "DeleteThingShadow"])
def test_a_right_to_the_classic_shadow_is_none_to_a_named_one(cloud: Cloud, operation: str) -> None:
    row = rows(shadows=cloud.api)[operation]

    classic = resource_arn(row.resource, {"thingName": "T"}, CALLER)
    named = resource_arn(row.resource, {"thingName": "T", "shadowName": "n"}, CALLER)

    assert classic == f"arn:aws:iot:{CALLER.region}:{CALLER.account}:thing/T"
    assert named == f"{classic}/n"
