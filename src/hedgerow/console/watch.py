"""Keeps one signed-in person's Fleet up to date: one poller and one MQTT connection, however many pages are open.

What the cloud tells by itself (telemetry, presence, faults, health reports, shadow changes) is taken over several
times a second. The rest is asked for in turns, at a bounded rate, and at once when a message says that it changed.
A call that fails becomes a sentence in `fleet.problems`, and what was known stays.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from hedgerow.base.clock import Clock
from hedgerow.base.log import get_logger
from hedgerow.console import sources
from hedgerow.console.api import MAX_GROUPS, MAX_RULES
from hedgerow.console.desk import Desk
from hedgerow.console.errors import CloudUnreachable, NotThere, Refused, SessionOver
from hedgerow.console.faults import parse_event, reported_open
from hedgerow.console.fleet import Fleet, Window
from hedgerow.console.live import Live
from hedgerow.console.model import Certificate, Component, Core, Deployment, Details
from hedgerow.console.news import ALWAYS, News, reading_of

log = get_logger("console")
T = TypeVar("T")
Metric = tuple[str, str]  # namespace and name

CALL_S: Final = 30.0
PUMP_S: Final = 0.25
TURNS_S: Final = {
    "rules": 10.0,
    "things": 5.0,
    "groups": 15.0,
    "cores": 5.0,
    "logs": 10.0,
    "latest": 10.0,
    "focus": 5.0,
}
SWEEP_S: Final = 60.0  # how often connection and faults shadow of each device are asked for without a reason
SWEEP_BATCH: Final = 4  # at once; with SWEEP_PAUSE_S at most 16 devices a second
SWEEP_PAUSE_S: Final = 0.25
LOG_DAYS: Final = 7
LOG_OVERLAP_S: Final = 60.0
LATEST_S: Final = 120.0
DAY_S: Final = 86_400.0
OLDER_PERIOD_S: Final = 300
EXACT_S: Final = 3 * 3_600.0 - OLDER_PERIOD_S  # single values are kept that long
MAX_PLACES: Final = 50
STICKY_S: Final = 15.0  # a refusal stays on the page that long after the last one
MAX_URGENT: Final = 10_000
MORE: Final = "There are more {} than the console reads: only the first {} count here."
AREAS: Final = {
    "rules": "The topic rules",
    "things": "The list of things",
    "groups": "The groups of things",
    "connections": "Whether devices are connected",
    "cores": "The core devices and their components",
    "shadows": "The faults that the devices report",
    "logs": "The fault log",
    "metrics": "Stored telemetry",
    "details": "The identity and deployments of this device",
}


class Asked(Protocol):
    """The calls of a cloud (`api.Api`). Each blocks, and raises the errors of `errors.py`."""

    def things(self) -> tuple[list[tuple[str, str, dict[str, str]]], bool]: ...
    def groups(self) -> tuple[dict[str, list[str]], bool]: ...
    def connection(self, thing: str) -> tuple[bool, float | None]: ...
    def cores(self) -> dict[str, tuple[str, float]]: ...
    def components(self, thing: str) -> tuple[Component, ...]: ...
    def core(self, thing: str) -> Core | None: ...
    def deployments(self, thing: str) -> tuple[Deployment, ...]: ...
    def principals(self, thing: str) -> tuple[str, ...]: ...
    def certificate(self, identifier: str) -> Certificate: ...
    def rules(self) -> tuple[list[Mapping[str, Any]], bool]: ...
    def faults_shadow(self, thing: str) -> Mapping[str, Any]: ...
    def log_events(self, group: str, *, since: float) -> list[tuple[float, str]]: ...
    def metrics(
        self, wanted: Iterable[tuple[str, str]], *, start: float, end: float, period: int, newest: bool = False
    ) -> dict[tuple[str, str], list[tuple[float, float]]]: ...


class Watch:
    """One person's view of a cloud, kept fresh while `run` runs."""

    def __init__(self, *, api: Asked, live: Live, clock: Clock, workers: Executor, desk: Desk) -> None:
        self.fleet = Fleet()
        self.desk = desk
        self.first = asyncio.Event()  # set when everything was asked for once
        self._api, self._live, self._clock, self._workers = api, live, clock, workers
        self._due = {name: asyncio.Event() for name in TURNS_S}
        self._urgent: dict[str, None] = {}
        self._swept: dict[str, float] = {}
        self._reported: dict[str, float] = {}
        self._news = News(fleet=self.fleet, live=live, clock=clock)
        self._log_since: dict[str, float] = {}
        self._refused_at: dict[str, float] = {}
        self._rules = 0
        self._sought: set[tuple[str, str]] = set()
        self._focus: Counter[str] = Counter()
        self._charts: Counter[tuple[str, Window]] = Counter()
        self._charted: dict[tuple[str, Window], float] = {}

    async def run(self) -> None:
        """Watch until cancelled or the session is over."""
        turns = self._every_turn()
        try:
            await self._begin(turns)
            async with asyncio.TaskGroup() as tasks:
                for name, turn in turns.items():
                    tasks.create_task(self._turns(name, turn))
                tasks.create_task(self._sweep())
                tasks.create_task(self._pump())
        except* SessionOver:
            log.info("a console session is over")
        finally:
            self.fleet.over = True
            self.first.set()
            self.fleet.touch()
            await asyncio.get_running_loop().run_in_executor(self._workers, self._live.stop)

    def look_at(self, thing: str, window: Window | None = None) -> None:
        """A page shows this device (and its charts): keep it fresh until `look_away`."""
        if window is None:
            self._focus[thing] += 1
        else:
            self._charts[thing, window] += 1
        self._due["focus"].set()

    def look_away(self, thing: str, window: Window | None = None) -> None:
        if window is None:
            self._focus[thing] -= 1
            self._focus += Counter()  # drops what is not above zero
        else:
            self._charts[thing, window] -= 1
            self._charts += Counter()

    def _every_turn(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        return {
            "rules": self._ask_rules,
            "things": self._ask_things,
            "groups": self._ask_groups,
            "cores": self._ask_cores,
            "logs": self._ask_logs,
            "latest": self._ask_latest,
            "focus": self._ask_focus,
        }

    async def _begin(self, turns: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
        self._live.listen(ALWAYS, ())
        self._live.start()
        await asyncio.gather(turns["rules"](), turns["things"]())
        await asyncio.gather(
            turns["groups"](), turns["cores"](), turns["logs"](), turns["latest"](), self._sweep_once()
        )
        self.first.set()

    async def _turns(self, name: str, turn: Callable[[], Awaitable[None]]) -> None:
        due = self._due[name]
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause(name)):
                    await due.wait()
            due.clear()
            await turn()
            await asyncio.sleep(PUMP_S)  # a stream of reasons is no reason to ask without pause

    def _pause(self, turn: str) -> float:
        """Answer how long to wait for the next turn: longer for a larger fleet, so that the calls stay few."""
        parts = self._rules if turn == "rules" else len(self.fleet.devices) / 20
        return TURNS_S[turn] * (1 + parts / 50)

    async def _ask(self, area: str, call: Callable[..., T], *args: Any, **named: Any) -> T | None:
        loop, now = asyncio.get_running_loop(), self._clock.monotonic()
        try:
            async with asyncio.timeout(CALL_S):  # not wait_for: in 3.11 it can swallow a cancellation
                answer = await loop.run_in_executor(self._workers, partial(call, *args, **named))
        except (CloudUnreachable, TimeoutError) as error:
            words = str(error) or "The cloud's API does not answer in time."
            self.fleet.problem("cloud", f"{words} What is shown may be old.")
            return None
        except NotThere:
            return None
        except Refused as error:
            self._refused_at[area] = now
            self.fleet.problem(area, f"{AREAS[area]} cannot be read: {error}")
            return None
        self.fleet.problem("cloud", None)
        if now - self._refused_at.get(area, 0.0) > STICKY_S or area not in self._refused_at:
            self.fleet.problem(area, None)
        return answer

    async def _ask_rules(self) -> None:
        answer = await self._ask("rules", self._api.rules)
        if answer is None:
            return
        rules, whole = answer
        self.fleet.problem("more rules", None if whole else MORE.format("topic rules", MAX_RULES))
        self._rules = len(rules)
        found = sources.derive(rules)
        if found != self.fleet.sources:
            self.fleet.sources = found
            self.fleet.touch()
            telemetry = {source.filter for source in found.telemetry}
            self._live.listen((*ALWAYS, *(source.filter for source in found.faults)), telemetry)
            self._charted.clear()
            self._sought.clear()
            for name in ("latest", "logs", "focus"):
                self._due[name].set()

    async def _ask_things(self) -> None:
        answer = await self._ask("things", self._api.things)
        if answer is None:
            return
        new = self.fleet.put_things(answer[0], complete=answer[1])
        for name in new:
            self._hurry(name)
        if new:
            for name in ("groups", "cores", "latest"):
                self._due[name].set()
        gone = {*self._swept, *self._reported, *self._news.sessions} - self.fleet.devices.keys()
        self._news.forget(gone)
        for name in gone:
            self._swept.pop(name, None)
            self._reported.pop(name, None)

    async def _ask_groups(self) -> None:
        answer = await self._ask("groups", self._api.groups)
        if answer is not None:
            groups, whole = answer
            self.fleet.problem("more groups", None if whole else MORE.format("thing groups", MAX_GROUPS))
            for name in self.fleet.devices:
                self.fleet.change(name, groups=tuple(groups.get(name, ())))

    async def _ask_cores(self) -> None:
        cores = await self._ask("cores", self._api.cores)
        if cores is None:
            return
        for name, (health, reported_at) in cores.items():
            if name not in self.fleet.devices:
                continue
            self.fleet.change(name, health=health)
            if self._reported.get(name) != reported_at:
                components = await self._ask("cores", self._api.components, name)
                if components is not None:
                    self._reported[name] = reported_at
                    self.fleet.put_components(name, components)
        for name, device in list(self.fleet.devices.items()):
            if device.health and name not in cores:
                self.fleet.change(name, health="", components=())
                self._reported.pop(name, None)

    async def _ask_logs(self) -> None:
        now = self._clock.now()
        for source in self.fleet.sources.faults:
            since = self._log_since.get(source.log_group, now - LOG_DAYS * 86_400)
            events = await self._ask("logs", self._api.log_events, source.log_group, since=since)
            for _, text in events or ():
                if (event := parse_event(text)) is not None:
                    self.fleet.note_fault(event, now=0.0)
            if events:
                self._log_since[source.log_group] = max(since, events[-1][0] - LOG_OVERLAP_S)

    async def _ask_latest(self) -> None:
        """Ask for the latest stored values that no message has told: of the last minutes, and once of the last day."""
        wanted: dict[Metric, tuple[str, sources.Value]] = {}
        for source in self.fleet.sources.telemetry:
            for value in source.values:
                for name, device in self.fleet.devices.items():
                    told = value.member and value.label in device.readings
                    if not told and (metric := value.metric_of(name)):
                        wanted[value.namespace, metric] = (name, value)
        now = self._clock.now()
        found = await self._newest(wanted, start=now - LATEST_S, end=now + 1, period=1)
        unsought = {
            metric: (name, value)
            for metric, (name, value) in wanted.items()
            if metric not in found and (name, value.label) not in self._sought
        }
        if not unsought or "metrics" in self.fleet.problems or "cloud" in self.fleet.problems:
            return
        # Where anything is at all, by five minutes; then the newest in there, as exactly as it is still kept.
        older = await self._ask(
            "metrics", self._api.metrics, list(unsought), start=now - DAY_S, end=now, period=OLDER_PERIOD_S, newest=True
        )
        if older is None:
            return
        self._sought |= {(name, value.label) for name, value in unsought.values()}
        places: dict[float, dict[Metric, tuple[str, sources.Value]]] = {}
        for key, points in older.items():
            for at, _ in points[-1:]:
                places.setdefault(at, {})[key] = unsought[key]
        for at in sorted(places, reverse=True)[:MAX_PLACES]:
            exact = 1 if now - at < EXACT_S else 60
            await self._newest(places[at], start=at, end=at + OLDER_PERIOD_S, period=exact)

    async def _newest(
        self, wanted: Mapping[Metric, tuple[str, sources.Value]], *, start: float, end: float, period: int
    ) -> set[Metric]:
        """Take over the newest stored value of each metric; answer those that had one."""
        if not wanted:
            return set()
        found = await self._ask(
            "metrics", self._api.metrics, list(wanted), start=start, end=end, period=period, newest=True
        )
        there = {metric: points[-1] for metric, points in (found or {}).items() if points}
        for metric, (second, number) in there.items():
            name, value = wanted[metric]
            self.fleet.put_reading(name, reading_of(value, number, second))
        return set(there)

    async def _ask_focus(self) -> None:
        for name in list(self._focus):
            if name in self.fleet.devices:
                await self._ask_details(name)
        for name, window in list(self._charts):
            if name in self.fleet.devices:
                await self._ask_history(name, window)
        for key in [key for key in self._charted if key not in self._charts]:
            del self._charted[key]

    async def _ask_details(self, name: str) -> None:
        details = self.fleet.details.get(name, Details())
        principals = await self._ask("details", self._api.principals, name)
        if principals is not None:
            certificates = []
            for principal in principals:
                if ":cert/" in principal:
                    identifier = principal.rsplit("/", 1)[1]
                    certificate = await self._ask("details", self._api.certificate, identifier)
                    certificates += [certificate] if certificate is not None else []
            details = replace(details, principals=principals, certificates=tuple(certificates))
        if self.fleet.devices[name].health if name in self.fleet.devices else "":
            core = await self._ask("details", self._api.core, name)
            deployments = await self._ask("details", self._api.deployments, name)
            details = replace(details, core=core or details.core, deployments=deployments or details.deployments)
        self.fleet.put_details(name, details)

    async def _ask_history(self, name: str, window: Window) -> None:
        values = [value for source in self.fleet.sources.telemetry for value in source.values if value.metric_of(name)]
        now = self._clock.now()
        age = now - self._charted.get((name, window), 0.0)
        wanted = {
            (value.namespace, value.metric_of(name)): value for value in values if age > SWEEP_S or not value.member
        }
        if not wanted:
            return
        found = await self._ask(
            "metrics", self._api.metrics, list(wanted), start=now - window.length_s, end=now + 1, period=window.period_s
        )
        if found is None:
            return
        if age > SWEEP_S:
            self._charted[name, window] = now
        for key, value in wanted.items():
            self.fleet.put_history(name, window, value.label, found.get(key, ()))

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_PAUSE_S)
            await self._sweep_once()

    async def _sweep_once(self) -> None:
        """Ask for connection and faults of the next few devices: those with a reason, then those not asked for long."""
        now = self._clock.monotonic()
        batch = list(self._urgent)[: SWEEP_BATCH * 4]
        if not batch:
            batch = [name for name in self.fleet.devices if now - self._swept.get(name, -SWEEP_S) >= SWEEP_S][
                :SWEEP_BATCH
            ]
        for name in batch:
            self._urgent.pop(name, None)
            self._swept[name] = now
        await asyncio.gather(*(self._ask_device(name) for name in batch if name in self.fleet.devices))

    async def _ask_device(self, name: str) -> None:
        now = self._clock.now()
        heard = self._news.sessions.get(name)
        connection = await self._ask("connections", self._api.connection, name)
        if connection is not None and self._news.sessions.get(name) == heard:  # no newer word came meanwhile
            self.fleet.change(name, online=connection[0], changed_at=connection[1])
        shadow = await self._ask("shadows", self._api.faults_shadow, name)
        listed = reported_open(shadow) if shadow is not None else None
        if listed is not None:
            self.fleet.adopt_faults(name, listed, now=now)

    async def _pump(self) -> None:
        while True:
            await asyncio.sleep(PUMP_S)
            self._take_news()

    def _take_news(self) -> None:
        reasons = self._news.take()
        for name in reasons.devices:
            self._hurry(name)
        for name in reasons.turns:
            self._due[name].set()

    def _hurry(self, name: str) -> None:
        if name in self.fleet.devices and len(self._urgent) < MAX_URGENT:
            self._urgent[name] = None
