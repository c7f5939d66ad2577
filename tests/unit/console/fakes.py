"""A cloud and a live connection that tests write by hand."""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hedgerow.base.errors import HedgerowError
from hedgerow.cli.demo import fleet
from hedgerow.console.calls import Calls, Cloud
from hedgerow.console.desk import Desk
from hedgerow.console.model import Certificate, Component, Core, Credentials, Deployment
from hedgerow.console.onboarding import Doors, Onboarding

NOW = 1_800_000_000.0
PERSON = Credentials(
    account="111122223333",
    principal="arn:aws:iam::111122223333:root",
    access_key_id="ASIA1",
    secret_access_key="secret",
    session_token="token/+=",
    expires_at=NOW + 3600,
)


class FakeApi:
    """Answers what the attributes say; an error in `failing` under the method's name is raised instead."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.online = dict.fromkeys(names, True)
        self.shadows: dict[str, Mapping[str, Any]] = {}
        self.reported = {name: (Component(name="monitor", version="1.0.0", state="RUNNING"),) for name in names}
        self.reported_at = 1.0
        self.logged: list[tuple[float, str]] = []
        self.points: dict[tuple[str, str], list[tuple[float, float]]] = {}
        self.failing: dict[str, HedgerowError] = {}
        self.calls: list[str] = []
        self.whole = True  # whether rules and groups are all there
        self.asked_rules = [
            {"ruleName": "telemetry", **fleet.telemetry_rule("role")},
            {"ruleName": "faults", **fleet.fault_rule("role", "http://127.0.0.1/")},
        ]

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failing:
            raise self.failing[name]

    def things(self) -> tuple[list[tuple[str, str, dict[str, str]]], bool]:
        self._called("things")
        return [(name, "", {}) for name in self.names], True

    def groups(self) -> tuple[dict[str, list[str]], bool]:
        self._called("groups")
        return {name: ["radio-sites"] for name in self.names}, self.whole

    def connection(self, thing: str) -> tuple[bool, float | None]:
        self._called("connection")
        return self.online[thing], NOW - 60

    def cores(self) -> dict[str, tuple[str, float]]:
        self._called("cores")
        return dict.fromkeys(self.reported, ("HEALTHY", self.reported_at))

    def components(self, thing: str) -> tuple[Component, ...]:
        self._called("components")
        return self.reported[thing]

    def core(self, thing: str) -> Core | None:
        self._called("core")
        return Core(status="HEALTHY", version="2.15.0", platform="linux x86_64", reported_at=NOW)

    def deployments(self, thing: str) -> tuple[Deployment, ...]:
        self._called("deployments")
        return (Deployment(name="d", id="d1", status="SUCCEEDED", reason="", changed_at=NOW),)

    def principals(self, thing: str) -> tuple[str, ...]:
        self._called("principals")
        return ("arn:aws:iot:us-east-1:111122223333:cert/abc",)

    def certificate(self, identifier: str) -> Certificate:
        self._called("certificate")
        return Certificate(id=identifier, status="ACTIVE", created_at=NOW, not_before=NOW, not_after=NOW)

    def rules(self) -> tuple[list[Mapping[str, Any]], bool]:
        self._called("rules")
        return list(self.asked_rules), self.whole

    def faults_shadow(self, thing: str) -> Mapping[str, Any]:
        self._called("faults_shadow")
        return self.shadows.get(thing, {})

    def log_events(self, group: str, *, since: float) -> list[tuple[float, str]]:
        self._called("log_events")
        return [event for event in self.logged if event[0] >= since]

    def metrics(
        self, wanted: Iterable[tuple[str, str]], *, start: float, end: float, period: int, newest: bool = False
    ) -> dict[tuple[str, str], list[tuple[float, float]]]:
        self._called("metrics")
        asked = {key: self.points.get(key, []) for key in wanted}
        there = {key: [point for point in points if start <= point[0] < end] for key, points in asked.items()}
        return {key: [(at - at % period, value) for at, value in points] for key, points in there.items() if points}


def no_desk() -> Desk:
    """Answer a desk at which no test of the watch works."""
    cloud = Cloud(api_url="http://127.0.0.1:1", region="us-east-1", ca_file=None, models=None)
    return Desk(Onboarding(Calls(cloud, PERSON), doors=Doors(), region="us-east-1"), ThreadPoolExecutor(1))


class FakeLive:
    """Messages that a test put in."""

    def __init__(self) -> None:
        self.connected = True
        self.trouble = ""
        self.filters: set[str] = set()
        self.coalesced: set[str] = set()
        self.latest: dict[str, bytes] = {}
        self.waiting: list[tuple[str, bytes]] = []
        self.lost = False
        self.stopped = False

    def start(self) -> None: ...

    def stop(self) -> None:
        self.stopped = True

    def listen(self, filters: Iterable[str], coalesced: Iterable[str]) -> None:
        self.filters, self.coalesced = set(filters), set(coalesced)

    def tell(self, topic: str, content: object) -> None:
        payload = json.dumps(content).encode()
        if topic.endswith("/telemetry"):
            self.latest[topic] = payload
        else:
            self.waiting.append((topic, payload))

    def take(self) -> tuple[dict[str, bytes], list[tuple[str, bytes]], bool]:
        taken = self.latest, self.waiting, self.lost
        self.latest, self.waiting, self.lost = {}, [], False
        return taken
