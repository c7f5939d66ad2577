"""The run that sends every member once, against toy operations."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from hedgerow.api import Row, read, write
from hedgerow.base.errors import NotImplementedYet
from hedgerow.cli.members import Found, try_members
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.store import Answer, Tx
from tests.unit.api.cloud import ACCOUNT, CATALOGUE, KEY_ID, REGION, ToyRunner


def found(operation: str, row: Row) -> tuple[Found, tuple[str, ...]]:
    operations = {("iot", operation): row}
    cloud = SimpleNamespace(
        operations=operations, hints={}, run=ToyRunner(), account=ACCOUNT, region=REGION, access_key_id=KEY_ID
    )
    members = asyncio.run(try_members(cast("Any", cloud), CATALOGUE))
    return members.found["iot", operation], members.crashes


def reading(*names: str) -> Callable[[Tx, Request, Caller], Answer]:
    """Make an operation that reads these members, and those of structures."""

    def operation(tx: Tx, request: Request, caller: Caller) -> Answer:
        for name in names:
            above, _, below = name.partition(".")
            value = request.get(above)
            if below and value is not None:
                value.get(below)
        return Answer()

    return operation


def test_what_is_not_read_is_refused() -> None:
    one, crashes = found("CreateThing", write(reading("thingName", "attributePayload.merge")))

    assert one.refused == ["thingTypeName", "attributePayload.attributes", "billingGroupName"]
    assert (one.unknown, crashes) == ([], ())


def test_a_structure_of_which_nothing_is_read_is_named_once() -> None:
    one, _ = found("CreateThing", write(reading("thingName", "thingTypeName", "billingGroupName")))

    assert one.refused == ["attributePayload"]


def test_a_member_that_is_refused_in_words_is_refused() -> None:
    def operation(tx: Tx, request: Request, caller: Caller) -> Answer:
        if request.get("ascendingOrder"):
            raise NotImplementedYet("ascendingOrder is not honoured")
        return reading("marker", "pageSize")(tx, request, caller)

    one, _ = found("ListCertificates", read(operation))

    assert one.refused == ["ascendingOrder"]


def test_where_the_call_fails_before_anything_is_read_nobody_can_tell() -> None:
    def operation(tx: Tx, request: Request, caller: Caller) -> Answer:
        raise InvalidRequest("nothing is there")

    one, _ = found("DeleteThing", write(operation))

    assert (one.refused, one.unknown) == ([], ["expectedVersion"])


def test_a_refusal_of_another_kind_shows_that_the_member_was_looked_at() -> None:
    def operation(tx: Tx, request: Request, caller: Caller) -> Answer:
        raise InvalidRequest(f"version {request.get('expectedVersion')} is not there")

    one, _ = found("DeleteThing", write(operation))

    assert (one.refused, one.unknown) == ([], [])


def test_our_own_mistakes_are_kept() -> None:
    def operation(tx: Tx, request: Request, caller: Caller) -> Answer:
        raise RuntimeError("a bug")

    _, crashes = found("DeleteThing", write(operation))

    assert crashes == ("iot:DeleteThing RuntimeError: a bug",)
