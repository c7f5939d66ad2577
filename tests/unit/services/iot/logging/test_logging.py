"""Logging options: what is kept of them, what is refused, and what is told of a change."""

import pytest

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.events import LoggingChanged
from hedgerow.core.iotlog import EVENTS, Level, TargetType
from hedgerow.core.paging import Pager
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.logging import LoggingOperations, LoggingStore
from hedgerow.services.iot.logging import model as logging_model
from hedgerow.services.iot.logging.errors import NotConfigured, RoleUnusable, TooManyLevels
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Tx
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryStore

ROLE = "arn:aws:iam::123456789012:role/logging"


class FakeRoles:
    def assumable(self, tx: Tx, account: str, role_arn: str, service: str, source: str) -> bool:
        return role_arn.startswith(f"arn:aws:iam::{account}:") and service == "iot.amazonaws.com"


class World:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.operations = LoggingOperations(store=LoggingStore(), roles=FakeRoles(), pages=Pages(Pager(b"k" * 32)))

    def set(self, **options: object) -> tuple[object, ...]:
        return self.store.run(self.operations.set_v2_logging_options, options).events

    def level(self, kind: str, name: str, level: str) -> tuple[object, ...]:
        request = {"logTarget": {"targetType": kind, "targetName": name}, "logLevel": level}
        return self.store.run(self.operations.set_v2_logging_level, request).events

    def levels(self, **request: object) -> list[tuple[str, str | None, str]]:
        found = self.store.run(self.operations.list_v2_logging_levels, request).response["logTargetConfigurations"]
        return [(o["logTarget"]["targetType"], o["logTarget"].get("targetName"), o["logLevel"]) for o in found]


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_not_said_stays_as_it_was(world: World) -> None:
    world.set(roleArn=ROLE, defaultLogLevel="WARN", eventConfigurations=[{"eventType": "Connect", "logLevel": "INFO"}])
    world.set(disableAllLogs=True)

    assert world.store.run(world.operations.get_v2_logging_options).response == {
        "roleArn": ROLE,
        "defaultLogLevel": "WARN",
        "disableAllLogs": True,
        "eventConfigurations": [{"eventType": "Connect", "logLevel": "INFO"}],
    }


def test_asked_in_full_every_type_of_event_has_its_level_and_group(world: World) -> None:
    world.set(
        roleArn=ROLE, defaultLogLevel="WARN", eventConfigurations=[{"eventType": "Connect", "logDestination": "d"}]
    )

    shown = world.store.run(world.operations.get_v2_logging_options, {"verbose": True}).response["eventConfigurations"]

    assert [one["eventType"] for one in shown] == list(EVENTS)
    assert shown[0] == {"eventType": "Connect", "logLevel": "WARN", "logDestination": "d"}
    assert shown[1] == {"eventType": "Disconnect", "logLevel": "WARN", "logDestination": "AWSIotLogsV2"}


def test_a_change_tells_what_holds_now(world: World) -> None:
    world.set(roleArn=ROLE, defaultLogLevel="ERROR")
    (event,) = world.level("CLIENT_ID", "c", "DEBUG")

    assert isinstance(event, LoggingChanged)
    assert (event.account, event.rules.default) == (CALLER.account, Level.ERROR)
    assert event.rules.targets == {(TargetType.CLIENT_ID, "c"): Level.DEBUG}


def test_levels_are_listed_by_type_and_name_after_the_default(world: World) -> None:
    world.set(roleArn=ROLE, defaultLogLevel="INFO")
    world.level("SOURCE_IP", "2001:DB8::0:1", "ERROR")
    world.level("CLIENT_ID", "b", "WARN")
    world.level("CLIENT_ID", "a", "DEBUG")
    world.level("CLIENT_ID", "b", "ERROR")

    assert world.levels() == [
        ("DEFAULT", None, "INFO"),
        ("CLIENT_ID", "a", "DEBUG"),
        ("CLIENT_ID", "b", "ERROR"),
        ("SOURCE_IP", "2001:db8::1", "ERROR"),
    ]
    assert world.levels(targetType="SOURCE_IP") == [("SOURCE_IP", "2001:db8::1", "ERROR")]
    assert world.levels(targetType="DEFAULT") == [("DEFAULT", None, "INFO")]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_levels_page(world: World, size: int) -> None:
    world.set(roleArn=ROLE, defaultLogLevel="INFO")
    for name in "cab":
        world.level("CLIENT_ID", name, "WARN")
    found, token = [], None
    while True:
        request = {"maxResults": size, **({} if token is None else {"nextToken": token})}
        page = world.store.run(world.operations.list_v2_logging_levels, request).response
        found += [one["logTarget"].get("targetName") for one in page["logTargetConfigurations"]]
        token = page.get("nextToken")
        if token is None:
            break

    assert found == [None, "a", "b", "c"]


def test_a_level_that_is_deleted_is_gone_and_deleting_it_again_does_nothing(world: World) -> None:
    world.set(roleArn=ROLE, defaultLogLevel="INFO")
    world.level("THING_GROUP", "g", "DEBUG")
    for _ in range(2):
        world.store.run(world.operations.delete_v2_logging_level, {"targetType": "THING_GROUP", "targetName": "g"})

    assert world.levels() == [("DEFAULT", None, "INFO")]


def test_the_default_is_a_target_too(world: World) -> None:
    world.set(roleArn=ROLE, defaultLogLevel="INFO")
    world.store.run(
        world.operations.set_v2_logging_level, {"logTarget": {"targetType": "DEFAULT"}, "logLevel": "ERROR"}
    )

    assert world.levels() == [("DEFAULT", None, "ERROR")]


@pytest.mark.parametrize(
    ("kind", "name"), [("CLIENT_ID", ""), ("SOURCE_IP", "here"), ("DEFAULT", "x"), ("CLIENT_ID", "c" * 513)]
)
def test_a_target_whose_name_does_not_go_with_its_type_is_refused(world: World, kind: str, name: str) -> None:
    world.set(roleArn=ROLE, defaultLogLevel="INFO")

    with pytest.raises(InvalidRequest):
        world.level(kind, name, "INFO")


def test_there_are_only_so_many_targets(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.services.iot.logging.operations.MOST_TARGETS", 1)
    world.set(roleArn=ROLE, defaultLogLevel="INFO")
    world.level("CLIENT_ID", "a", "DEBUG")
    world.level("CLIENT_ID", "a", "INFO")

    with pytest.raises(TooManyLevels):
        world.level("CLIENT_ID", "b", "DEBUG")
    assert logging_model.MOST_TARGETS == 1_000


def test_before_version_2_is_set_there_is_nothing_to_see(world: World) -> None:
    world.store.run(
        world.operations.set_logging_options, {"loggingOptionsPayload": {"roleArn": ROLE, "logLevel": "INFO"}}
    )

    for operation in (world.operations.get_v2_logging_options, world.operations.list_v2_logging_levels):
        with pytest.raises(NotConfigured):
            world.store.run(operation)
    with pytest.raises(NotConfigured):
        world.level("CLIENT_ID", "a", "INFO")
    assert world.store.run(world.operations.get_logging_options).response == {"roleArn": ROLE, "logLevel": "INFO"}


def test_the_first_version_takes_no_account_of_targets(world: World) -> None:
    world.set(roleArn=ROLE, defaultLogLevel="INFO")
    world.level("CLIENT_ID", "a", "DEBUG")
    payload = {"roleArn": ROLE, "logLevel": "ERROR"}
    (event,) = world.store.run(world.operations.set_logging_options, {"loggingOptionsPayload": payload}).events

    assert isinstance(event, LoggingChanged)
    assert (event.rules.default, event.rules.targets) == (Level.ERROR, {})


@pytest.mark.parametrize("role", ["arn:aws:iam::210987654321:role/logging", "nothing"])
def test_a_role_that_cannot_be_assumed_is_refused(world: World, role: str) -> None:
    with pytest.raises(RoleUnusable):
        world.set(roleArn=role, defaultLogLevel="INFO")


def test_lines_need_a_role_and_silence_does_not(world: World) -> None:
    world.set(disableAllLogs=True, defaultLogLevel="INFO")

    with pytest.raises(InvalidRequest, match="roleArn"):
        world.set(disableAllLogs=False)


def test_a_type_of_event_that_is_never_logged_is_refused_by_name(world: World) -> None:
    with pytest.raises(NotImplementedYet, match="Queued"):
        world.set(roleArn=ROLE, eventConfigurations=[{"eventType": "Queued", "logLevel": "INFO"}])


@pytest.mark.parametrize(
    "events", [[{"eventType": "Connect"}], [{"eventType": "Connect", "logLevel": "INFO"}] * 2], ids=["empty", "twice"]
)
def test_a_configuration_that_makes_no_sense_is_refused(world: World, events: list[dict[str, str]]) -> None:
    with pytest.raises(InvalidRequest):
        world.set(roleArn=ROLE, eventConfigurations=events)


def test_accounts_do_not_meet(world: World) -> None:
    world.set(roleArn=ROLE, defaultLogLevel="INFO")
    world.level("CLIENT_ID", "a", "DEBUG")

    with pytest.raises(NotConfigured):
        world.store.run(world.operations.list_v2_logging_levels, caller=OTHER_ACCOUNT)
    assert world.store.run(world.operations.get_logging_options, caller=OTHER_ACCOUNT).response == {
        "logLevel": "DISABLED"
    }
