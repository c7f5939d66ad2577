"""When access keys were last used."""

import asyncio
from typing import Any

import pytest

from hedgerow.base.errors import Unavailable
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iam.access_keys import AccessKeyFlows, KeyUses
from hedgerow.services.iam.errors import NoSuchEntity
from tests.support.iam import Iam
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryRun


class World(Iam):
    """Identities, with the uses of their keys."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = MemoryRun(self.store)
        self.uses = KeyUses(run=self.memory)
        self.flows = AccessKeyFlows(run=self.memory, uses=self.uses)
        self.run(self.users.create_user, {"UserName": "ann"})
        self.key = self.run(self.keys.create_access_key, {"UserName": "ann"}).response["AccessKey"]["AccessKeyId"]

    def last(self, key: str, caller: Caller = CALLER) -> Any:
        return asyncio.run(self.flows.get_access_key_last_used(Request({"AccessKeyId": key}), caller))


@pytest.fixture
def world() -> World:
    return World()


def test_a_key_that_was_never_used_says_so(world: World) -> None:
    assert world.last(world.key) == {
        "UserName": "ann",
        "AccessKeyLastUsed": {"ServiceName": "N/A", "Region": "N/A"},
    }


def test_the_latest_use_is_answered_although_nothing_was_written_yet(world: World) -> None:
    world.uses.note(world.key, "iot", "eu-central-1", 1.0)
    world.uses.note(world.key, "iam", "us-east-1", 2.0)

    assert world.last(world.key)["AccessKeyLastUsed"] == {
        "LastUsedDate": 2.0,
        "ServiceName": "iam",
        "Region": "us-east-1",
    }


def test_an_earlier_use_that_comes_later_changes_nothing(world: World) -> None:
    for now in (2.0, 1.0):
        world.uses.note(world.key, "iot", "eu-central-1", now)
        asyncio.run(world.uses.write())

    assert world.last(world.key)["AccessKeyLastUsed"]["LastUsedDate"] == 2.0


def test_the_key_of_root_is_known_too(world: World) -> None:
    key = world.run(world.keys.create_access_key).response["AccessKey"]["AccessKeyId"]
    world.uses.note(key, "sts", "us-east-1", 1.0)

    assert world.last(key)["UserName"] == "root"


@pytest.mark.parametrize("caller", [CALLER, OTHER_ACCOUNT])
def test_a_key_that_is_not_there_or_anothers_is_not_found(world: World, caller: Caller) -> None:
    key = world.key if caller is OTHER_ACCOUNT else "AKIAABSENT0000000000"

    with pytest.raises(NoSuchEntity, match=key):
        world.last(key, caller)


def test_temporary_keys_are_not_noted(world: World) -> None:
    world.uses.note("ASIA0000000000000000", "iot", "eu-central-1", 1.0)
    asyncio.run(world.uses.write())

    assert world.memory.events == []
    assert world.uses._waiting == {}


def test_what_could_not_be_written_waits_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(operation: Any, *, lane: str = "") -> Any:
        raise Unavailable("the disk is full")

    world.uses.note(world.key, "iot", "eu-central-1", 1.0)
    with monkeypatch.context() as patch:
        patch.setattr(world.memory, "write", failing)
        with pytest.raises(Unavailable):
            asyncio.run(world.uses.write())

    assert world.last(world.key)["AccessKeyLastUsed"]["LastUsedDate"] == 1.0
