"""One person's watch over a fake cloud: what it takes over, asks again, and says when something fails."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from hedgerow.console.errors import CloudUnreachable, Refused, SessionOver
from hedgerow.console.fleet import WINDOWS
from hedgerow.console.watch import LOG_OVERLAP_S, STICKY_S, SWEEP_S, Watch
from tests.support.clock import FakeClock
from tests.unit.console.fakes import NOW, FakeApi, FakeLive, no_desk

FAULT = {"thing": "site-01", "fault": "overheating", "state": "raised", "id": "1", "at": NOW * 1000}


class Inline(Executor):
    """Runs at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class World:
    def __init__(self, *names: str) -> None:
        self.api, self.live, self.clock = FakeApi(*names), FakeLive(), FakeClock(NOW)
        self.watch = Watch(api=self.api, live=self.live, clock=self.clock, workers=Inline(), desk=no_desk())
        self.fleet = self.watch.fleet

    async def begin(self) -> "World":
        await self.watch._begin(self.watch._every_turn())
        return self

    async def told(self, topic: str, content: object) -> None:
        self.live.tell(topic, content)
        self.watch._take_news()
        await self.watch._sweep_once()


async def begun(*names: str) -> World:
    return await World(*names).begin()


def run(test: Callable[[], Any]) -> Callable[[], None]:
    def running() -> None:
        asyncio.run(test())

    running.__name__ = test.__name__
    return running


@run
async def test_the_first_look_finds_everything() -> None:
    world = World("site-01", "site-02")
    world.api.online["site-02"] = False
    world.api.points["RadioSites", "site-01.temperature_c"] = [(NOW - 5, 41.5)]
    world.api.shadows["site-01"] = {"state": {"reported": {"open": {"overheating": "1"}}}}
    world.api.logged = [(NOW - 100, json.dumps(FAULT))]

    await world.begin()

    one, two = world.fleet.devices["site-01"], world.fleet.devices["site-02"]
    assert (one.online, two.online) == (True, False)
    assert one.groups == ("radio-sites",)
    assert [(part.name, part.version) for part in one.components] == [("monitor", "1.0.0")]
    assert one.readings["temperature_c"].value == 41.5
    assert world.fleet.faults.open_counts() == {"site-01": 1}
    assert world.live.coalesced == {"sites/+/telemetry"}
    assert {"sites/+/faults", "$aws/events/presence/#"} <= world.live.filters
    assert world.watch.first.is_set()
    assert world.fleet.problems == {}


@run
async def test_telemetry_shows_at_once_and_becomes_a_point_of_an_open_chart() -> None:
    world = await begun("site-01")
    world.fleet.put_history("site-01", WINDOWS[0], "signal_dbm", [(NOW - 10, -60.0)])

    await world.told("sites/site-01/telemetry", {"signal_dbm": -67, "fan_on": True, "release": 3})

    readings = world.fleet.devices["site-01"].readings
    assert (readings["signal_dbm"].value, readings["fan_on"].value) == (-67.0, 1.0)
    assert "release" not in readings
    assert world.fleet.curve("site-01", WINDOWS[0], "signal_dbm", since=0) == [(NOW - 10, -60.0), (NOW, -67.0)]


@run
async def test_telemetry_of_no_known_device_is_left_out() -> None:
    world = await begun("site-01")
    world.watch._take_news()
    version = world.fleet.version

    await world.told("sites/nobody/telemetry", {"signal_dbm": -67})
    await world.told("sites/site-01/telemetry", ["no object"])

    assert world.fleet.version == version


@run
async def test_presence_shows_at_once_and_is_asked_for_again() -> None:
    world = await begun("site-01")
    event = {"clientId": "site-01", "sessionIdentifier": "a", "timestamp": (NOW + 5) * 1000}
    world.api.online["site-01"] = False
    asked = world.api.calls.count("connection")

    world.live.tell("$aws/events/presence/disconnected/site-01", event)
    world.watch._take_news()

    assert world.fleet.devices["site-01"].online is False
    assert world.fleet.devices["site-01"].changed_at == NOW + 5
    await world.watch._sweep_once()
    assert world.api.calls.count("connection") == asked + 1


@run
async def test_the_end_of_a_session_that_was_taken_over_does_not_show_the_device_offline() -> None:
    world = await begun("site-01")

    for word, session in (("connected", "new"), ("disconnected", "old")):
        event = {"clientId": "site-01", "sessionIdentifier": session, "timestamp": NOW * 1000}
        world.live.tell(f"$aws/events/presence/{word}/site-01", event)
    world.watch._take_news()

    assert world.fleet.devices["site-01"].online is True


@run
async def test_another_clients_presence_says_nothing_of_a_thing() -> None:
    world = await begun("site-01")

    event = {"clientId": "other", "thingName": "site-01", "sessionIdentifier": "x", "timestamp": NOW * 1000}
    world.live.tell("$aws/events/presence/disconnected/other", event)
    world.watch._take_news()

    assert world.fleet.devices["site-01"].online is True


@run
async def test_a_fault_opens_and_closes_by_messages() -> None:
    world = await begun("site-01")

    await world.told("sites/site-01/faults", FAULT)
    assert world.fleet.faults.open_counts() == {"site-01": 1}
    await world.told("sites/site-01/faults", {**FAULT, "state": "cleared"})

    assert world.fleet.faults.open() == []
    assert len(world.fleet.faults.closed("site-01")) == 1


@run
async def test_a_change_of_the_faults_shadow_is_read_at_once() -> None:
    world = await begun("site-01")
    world.api.shadows["site-01"] = {"state": {"reported": {"open": {"unreachable": "9"}}}}

    await world.told("$aws/things/site-01/shadow/name/faults/update/accepted", {})

    assert [fault.fault for fault in world.fleet.faults.open("site-01")] == ["unreachable"]


@run
async def test_components_are_asked_for_only_when_a_core_reported() -> None:
    world = await begun("site-01")

    await world.watch._ask_cores()
    assert world.api.calls.count("components") == 1
    world.api.reported_at = 2.0
    await world.watch._ask_cores()

    assert world.api.calls.count("components") == 2


@run
async def test_a_health_report_makes_the_watch_ask_for_components() -> None:
    world = await begun("site-01")
    world.watch._due["cores"].clear()

    await world.told("$aws/things/site-01/greengrassv2/health/json", {})

    assert world.watch._due["cores"].is_set()


@run
async def test_a_thing_that_is_gone_leaves_the_fleet() -> None:
    world = await begun("site-01", "site-02")
    world.api.names.remove("site-01")

    await world.watch._ask_things()

    assert list(world.fleet.devices) == ["site-02"]


@run
async def test_an_unreachable_cloud_is_said_and_what_was_known_stays() -> None:
    world = await begun("site-01")
    world.api.failing["things"] = CloudUnreachable("The cloud's API at http://x cannot be reached.")

    await world.watch._ask_things()

    assert world.fleet.problems["cloud"] == ("The cloud's API at http://x cannot be reached. What is shown may be old.")
    assert list(world.fleet.devices) == ["site-01"]
    del world.api.failing["things"]
    await world.watch._ask_things()
    assert world.fleet.problems == {}


@run
async def test_a_refusal_is_said_in_the_clouds_words_until_it_has_been_gone_for_a_while() -> None:
    world = await begun("site-01")
    world.api.failing["groups"] = Refused("User: x is not authorized to perform: iot:ListThingGroups")

    await world.watch._ask_groups()
    assert world.fleet.problems["groups"] == (
        "The groups of things cannot be read: User: x is not authorized to perform: iot:ListThingGroups"
    )
    del world.api.failing["groups"]
    await world.watch._ask_groups()
    assert "groups" in world.fleet.problems
    world.clock.advance(STICKY_S + 1)
    await world.watch._ask_groups()

    assert world.fleet.problems == {}


@run
async def test_what_was_left_out_is_said_until_everything_is_read() -> None:
    world = World("site-01")
    world.api.whole = False

    await world.begin()
    assert world.fleet.problems == {
        "more rules": "There are more topic rules than the console reads: only the first 200 count here.",
        "more groups": "There are more thing groups than the console reads: only the first 200 count here.",
    }
    world.api.whole = True
    await world.watch._ask_rules()
    await world.watch._ask_groups()

    assert world.fleet.problems == {}


@run
async def test_the_end_of_the_session_ends_the_watch_and_the_live_connection() -> None:
    world = World("site-01")
    world.api.failing["rules"] = SessionOver("expired")

    await asyncio.wait_for(world.watch.run(), 5)

    assert world.fleet.over
    assert world.live.stopped


@run
async def test_each_device_is_asked_for_once_in_a_while_without_a_reason() -> None:
    world = await begun("site-01", "site-02")
    asked = world.api.calls.count("connection")

    await world.watch._sweep_once()
    assert world.api.calls.count("connection") == asked
    world.clock.advance(SWEEP_S + 1)
    await world.watch._sweep_once()

    assert world.api.calls.count("connection") == asked + 2


@run
async def test_a_lost_message_makes_the_watch_ask_for_every_device() -> None:
    world = await begun("site-01", "site-02")
    world.live.lost = True
    asked = world.api.calls.count("connection")

    world.watch._take_news()
    await world.watch._sweep_once()

    assert world.api.calls.count("connection") == asked + 2


@run
async def test_the_log_is_read_on_from_where_it_was() -> None:
    world = World("site-01")
    world.api.logged = [(NOW - 200, json.dumps(FAULT))]
    await world.begin()

    assert world.watch._log_since == {"/radio-sites/faults": NOW - 200 - LOG_OVERLAP_S}


@run
async def test_a_device_that_a_page_shows_has_details_and_a_past() -> None:
    world = await begun("site-01")
    world.api.points["RadioSites", "site-01.signal_dbm"] = [(NOW - 30, -61.0), (NOW - 20, -62.0)]

    world.watch.look_at("site-01")
    world.watch.look_at("site-01", WINDOWS[0])
    await world.watch._ask_focus()

    details = world.fleet.details["site-01"]
    assert [one.status for one in details.certificates] == ["ACTIVE"]
    assert details.core is not None
    assert [one.status for one in details.deployments] == ["SUCCEEDED"]
    assert world.fleet.curve("site-01", WINDOWS[0], "signal_dbm", since=0) == [(NOW - 30, -61.0), (NOW - 20, -62.0)]


@run
async def test_nobody_looking_means_nothing_asked() -> None:
    world = await begun("site-01")
    world.watch.look_at("site-01")
    world.watch.look_at("site-01", WINDOWS[0])
    world.watch.look_away("site-01")
    world.watch.look_away("site-01", WINDOWS[0])
    asked = len(world.api.calls)

    await world.watch._ask_focus()

    assert len(world.api.calls) == asked


@run
async def test_the_last_value_of_a_device_that_has_been_silent_for_hours_is_found_once() -> None:
    world = World("site-01")
    world.api.points["RadioSites", "site-01.temperature_c"] = [(NOW - 9_000, 70.5), (NOW - 8_999, 71.5)]

    await world.begin()

    reading = world.fleet.devices["site-01"].readings["temperature_c"]
    assert (reading.value, reading.at) == (71.5, NOW - 8_999)
    asked = world.api.calls.count("metrics")
    await world.watch._ask_latest()
    assert world.api.calls.count("metrics") == asked + 1  # the last minutes only, not the day again


@run
async def test_a_device_that_appears_by_connecting_is_listed_at_once() -> None:
    world = await begun("site-01")
    world.watch._due["things"].clear()

    event = {"clientId": "site-02", "thingName": "site-02", "sessionIdentifier": "x", "timestamp": NOW * 1000}
    world.live.tell("$aws/events/presence/connected/site-02", event)
    world.watch._take_news()

    assert world.watch._due["things"].is_set()


@run
async def test_a_large_fleet_is_asked_for_less_often() -> None:
    world = await begun("site-01")
    small = world.watch._pause("things")

    world.fleet.put_things([(f"t{number}", "", {}) for number in range(10_000)], complete=True)

    assert world.watch._pause("things") > 10 * small


@run
async def test_new_rules_change_what_is_listened_to() -> None:
    world = World("site-01")
    rules, world.api.asked_rules = world.api.asked_rules, []
    await world.begin()
    assert world.live.coalesced == set()
    world.api.asked_rules = rules

    await world.watch._ask_rules()

    assert world.live.coalesced == {"sites/+/telemetry"}


@pytest.mark.parametrize("area", ["rules", "things", "groups", "connection", "cores", "faults_shadow", "log_events"])
def test_whatever_is_refused_the_rest_is_shown(area: str) -> None:
    async def look() -> World:
        world = World("site-01")
        world.api.failing[area] = Refused("no")
        return await world.begin()

    world = asyncio.run(look())

    assert len(world.fleet.problems) == 1
    assert world.watch.first.is_set()
