"""Client tokens of devices made by one call: whose they are, what they stand for, how long they are kept."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.hedgerow.devices import OVER, DeviceFollowUps, DeviceOperations, OrderStore, Steps
from hedgerow.services.hedgerow.devices.flows import _state
from hedgerow.services.hedgerow.devices.model import DeviceOrder, Wanted
from hedgerow.store import Answer, FollowUp, Tx
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryStore

CSR = "-----BEGIN CERTIFICATE REQUEST-----"


def nothing(tx: Tx, request: Request, caller: Caller) -> Answer:
    raise AssertionError("no step is to be done")


class Desk:
    def __init__(self) -> None:
        self.store, self.orders = MemoryStore(), OrderStore()
        self.operations = DeviceOperations(
            orders=self.orders,
            registering=self,
            steps=Steps(
                update_thing_shadow=nothing,
                create_deployment=nothing,
                detach_thing_principal=nothing,
                update_certificate=nothing,
                delete_certificate=nothing,
            ),
            things=self,
        )

    def register(self, *_: Any, **__: Any) -> Answer:
        raise AssertionError("nothing is to be registered")

    def principals_of(self, tx: Tx, account: str, thing: str) -> list[Any]:
        return []

    def done(self, wanted: Wanted, account: str = CALLER.account) -> None:
        order = DeviceOrder(token="t", digest=wanted.digest(), certificate="c", answer={"certificateId": "c"}, at=1.0)
        with self.store.tx() as tx:
            self.orders.put(tx, account, order)

    def earlier(self, wanted: Wanted, account: str = CALLER.account) -> Any:
        with self.store.tx() as tx:
            return self.operations.earlier(tx, account, "t", wanted)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def wanted(**more: Any) -> Wanted:
    return Wanted(**{"thing": "pump", "policy": "p", "signing_request": CSR, **more})


def test_a_repeated_call_with_a_request_of_its_own_is_answered_from_memory(desk: Desk) -> None:
    desk.done(wanted())

    assert desk.earlier(wanted()) == {"certificateId": "c"}


def test_a_call_that_was_overtaken_by_one_with_its_token_is_answered_the_same_and_makes_nothing(desk: Desk) -> None:
    desk.done(wanted())

    with desk.store.tx() as tx:
        answer = desk.operations.make(tx, wanted(), None, CALLER, token="t", may=lambda action, resource: True)

    assert answer == Answer({"certificateId": "c"})


def test_a_repeated_call_whose_key_the_cloud_made_is_carried_out_again(desk: Desk) -> None:
    desk.done(wanted(signing_request=None))

    assert desk.earlier(wanted(signing_request=None)) is None


@pytest.mark.parametrize("more", [{"thing": "fan"}, {"attributes": {"a": "b"}}, {"shadow": {}}, {"components": {}}])
def test_another_call_with_the_token_is_refused(desk: Desk, more: dict[str, Any]) -> None:
    desk.done(wanted())

    with pytest.raises(ServiceError, match="was used for another request"):
        desk.earlier(wanted(**more))


def test_tokens_of_two_accounts_do_not_meet(desk: Desk) -> None:
    desk.done(wanted(), OTHER_ACCOUNT.account)

    assert desk.earlier(wanted()) is None
    assert desk.earlier(wanted(), OTHER_ACCOUNT.account) == {"certificateId": "c"}


def test_a_token_is_forgotten_when_its_time_is_over(desk: Desk) -> None:
    desk.done(wanted())
    row = FollowUp(seq=1, account=CALLER.account, kind=OVER, key="t", due_at=1.0, body={})

    with desk.store.tx() as tx:
        DeviceFollowUps(orders=desk.orders).on_over(tx, row)

    assert desk.earlier(wanted()) is None


@pytest.mark.parametrize("text", ["", "[1]", "1", "null", "{", "[" * 100_000])
def test_a_shadow_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ServiceError, match="must be the desired state"):
        _state(text)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=3))
def test_the_template_holds_what_was_asked_for_whatever_is_in_it(attributes: dict[str, str], groups: list[str]) -> None:
    thing = json.loads(wanted(attributes=attributes, groups=groups).template())["Resources"]["thing"]["Properties"]

    assert thing.get("AttributePayload", {}) == attributes
    assert thing.get("ThingGroups", []) == groups
