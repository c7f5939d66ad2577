"""What the parts of a running cloud count, as metrics: connections, packets, queues with their bounds, what was lost.

`FAMILIES` below is the list; each family asks one part. Follow-ups are counted in the database when somebody asks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from hedgerow.api.metrics import COUNTER, GAUGE, Family, by, one
from hedgerow.base.clock import Clock
from hedgerow.cloud.iot_log import IotLog
from hedgerow.cloud.onboarding_figures import OnboardingFigures
from hedgerow.cloud.presence import WAITING as PRESENCE_BOUND
from hedgerow.cloud.presence import PresenceRecorder
from hedgerow.cloud.rules import QUEUE as RULES_BOUND
from hedgerow.cloud.rules import RuleEngine
from hedgerow.cloud.workers import LINES as FUNCTION_LINES_BOUND
from hedgerow.cloud.workers import CloudWorkers
from hedgerow.gateway.gateway import Gateway
from hedgerow.gateway.listener import HANDSHAKES, Listener
from hedgerow.gateway.refusals import AT_ONCE as REFUSALS_BOUND
from hedgerow.gateway.summary import Summary, summary
from hedgerow.services.iot.authorizers import CustomAuthentication
from hedgerow.store import Dispatcher, Runner, count_follow_ups
from hedgerow.store.journal import WAITING as JOURNAL_BOUND
from hedgerow.store.journal import WAITING_BYTES as JOURNAL_BYTES
from hedgerow.store.runner import WAITING as STORE_BOUND


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Asks everyone. It holds nothing of its own."""

    gateway: Gateway
    listeners: Sequence[Listener]
    runner: Runner
    telemetry_runner: Runner
    dispatcher: Dispatcher
    engine: RuleEngine
    workers: CloudWorkers
    presence: PresenceRecorder
    authentication: CustomAuthentication
    iot_log: IotLog
    onboarding: OnboardingFigures
    clock: Clock

    async def __call__(self) -> Iterable[Family]:
        """Answer every metric as it is now."""
        now = self.clock.now()
        follow_ups = await self.runner.read(lambda tx: count_follow_ups(tx, now))
        summed = await summary(self.gateway)
        return [
            *self._gateway(summed),
            *self._queues(summed),
            *self._stores(),
            *self._rules(),
            *self._functions(),
            *self._authorizers(),
            *self.onboarding.families(),
            by("hedgerow_follow_ups", GAUGE, "What must happen later: due, later, or dead", "state", follow_ups),
            by(
                "hedgerow_follow_ups_total",
                COUNTER,
                "Attempts that were done or failed, and rows given up",
                "outcome",
                _picked(self.dispatcher.statistics(), "done", "failed", "buried"),
            ),
        ]

    def _gateway(self, summed: Summary) -> Iterable[Family]:
        figures = self.gateway.statistics()
        yield one("hedgerow_gateway_congested_connections", GAUGE, "That read too slowly now", figures["congested"])
        yield one("hedgerow_gateway_connections", GAUGE, "MQTT connections", figures["connections"])
        yield one("hedgerow_gateway_sessions", GAUGE, "Sessions, connected or kept", figures["sessions"])
        yield one("hedgerow_gateway_subscriptions", GAUGE, "Topic filters subscribed to", figures["subscriptions"])
        yield one("hedgerow_gateway_retained_messages", GAUGE, "Retained messages", figures["retained"])
        yield one("hedgerow_gateway_messages_in_flight", GAUGE, "Sent, not acknowledged", summed.in_flight)
        connects = {"admitted": figures["admitted"], "turned_away": figures["turned_away"]}
        yield by("hedgerow_gateway_connects_total", COUNTER, "CONNECTs by their outcome", "outcome", connects)
        yield one("hedgerow_gateway_denials_total", COUNTER, "Requests refused to clients", figures["refusals"])
        yield one("hedgerow_gateway_published_total", COUNTER, "Messages taken from publishers", summed.published)
        yield one("hedgerow_gateway_dropped_total", COUNTER, "Messages that found no room", figures["dropped"])
        packets = [
            ({"direction": direction, "type": kind}, count)
            for direction, counted in (("in", summed.received), ("out", summed.sent))
            for kind, count in counted.items()
        ]
        yield Family("hedgerow_gateway_packets_total", COUNTER, "MQTT packets by direction and type", packets)
        yield by(
            "hedgerow_gateway_bytes_total",
            COUNTER,
            "MQTT bytes",
            "direction",
            {"in": summed.bytes_in, "out": summed.bytes_out},
        )
        shells = [listener.statistics() for listener in self.listeners]
        accepted = {name: sum(shell[name] for shell in shells) for name in ("accepted", "failed")}
        yield by("hedgerow_gateway_transports_total", COUNTER, "TCP connections taken or lost", "outcome", accepted)

    def _queues(self, summed: Summary) -> Iterable[Family]:
        gateway = self.gateway.statistics()
        shaking = sum(listener.statistics()["handshakes"] for listener in self.listeners)
        queues: Mapping[str, tuple[float, float, float | None]] = {
            "handshakes": (shaking, HANDSHAKES * len(self.listeners), None),
            "journal": (gateway["journal_waiting"], JOURNAL_BOUND, gateway["journal_refused"]),
            "journal_bytes": (gateway["journal_waiting_bytes"], JOURNAL_BYTES, None),
            "sessions": (summed.queued, self.gateway.limits.queued * max(1, gateway["sessions"]), None),
            "store": self._store_queue(self.runner),
            "telemetry_store": self._store_queue(self.telemetry_runner),
            "rules": _queue(self.engine.statistics(), RULES_BOUND),
            "presence": _queue(self.presence.statistics(), PRESENCE_BOUND),
            "function_lines": _queue(self.workers.statistics(), FUNCTION_LINES_BOUND),
            "iot_log": _queue(self.iot_log.statistics(), self.iot_log.statistics()["waiting_bound"]),
            "regrants": (gateway["regrants"], gateway["connections"], None),
            "refusals": (gateway["refusals_waiting"], REFUSALS_BOUND, gateway["refusals_untold"]),
        }
        lengths = {name: length for name, (length, _, _) in queues.items()}
        bounds = {name: bound for name, (_, bound, _) in queues.items()}
        lost = {name: dropped for name, (_, _, dropped) in queues.items() if dropped is not None}
        yield by("hedgerow_queue_length", GAUGE, "What waits in a queue", "queue", lengths)
        yield by("hedgerow_queue_bound", GAUGE, "How much a queue holds", "queue", bounds)
        yield by("hedgerow_queue_dropped_total", COUNTER, "What a full queue refused or dropped", "queue", lost)

    def _store_queue(self, runner: Runner) -> tuple[float, float, float]:
        figures = runner.statistics()
        return figures.waiting, STORE_BOUND, figures.refused

    def _stores(self) -> Iterable[Family]:
        stores = {"main": asdict(self.runner.statistics()), "telemetry": asdict(self.telemetry_runner.statistics())}
        for name, words in (
            ("commits", "Transactions committed"),
            ("rolled_back", "Operations rolled back"),
            ("retries", "Operations run again"),
        ):
            values = {store: figures[name] for store, figures in stores.items()}
            yield by(f"hedgerow_store_{name}_total", COUNTER, words, "database", values)
        longest = {store: figures["longest_s"] for store, figures in stores.items()}
        yield by("hedgerow_store_longest_commit_seconds", GAUGE, "The longest transaction so far", "database", longest)

    def _rules(self) -> Iterable[Family]:
        figures = self.engine.statistics()
        outcomes = _picked(figures, "matched", "actions", "failed")
        yield by("hedgerow_rules_total", COUNTER, "Messages matched, actions begun, actions failed", "what", outcomes)
        lines = _picked(self.iot_log.statistics(), "written", "dropped", "refused")
        yield by("hedgerow_iot_log_lines_total", COUNTER, "Lines of IoT logs by what became of them", "outcome", lines)

    def _authorizers(self) -> Iterable[Family]:
        figures = self.authentication.statistics()
        yield one("hedgerow_authorizers_waiting", GAUGE, "Clients that wait for an authorizer", figures["waiting"])
        yield one("hedgerow_authorizers_remembered", GAUGE, "Answers that are remembered", figures["remembered"])
        outcomes = _picked(figures, "asked", "failed")
        yield by("hedgerow_authorizers_total", COUNTER, "Questions to custom authorizers", "what", outcomes)

    def _functions(self) -> Iterable[Family]:
        pools = self.workers.pool.statistics().values()
        for name, kind, words in (
            ("instances", GAUGE, "Worker processes of functions"),
            ("busy", GAUGE, "Worker processes with an invocation"),
            ("waiting", GAUGE, "Invocations that wait for a worker"),
            ("invocations", COUNTER, "Invocations"),
            ("errors", COUNTER, "Invocations that failed"),
            ("refused", COUNTER, "Invocations that found no room"),
        ):
            suffix = "_total" if kind == COUNTER else ""
            yield one(f"hedgerow_functions_{name}{suffix}", kind, words, sum(figures[name] for figures in pools))


def _queue(figures: Mapping[str, int], bound: int) -> tuple[float, float, float]:
    return figures["waiting"], bound, figures["dropped"]


def _picked(figures: Mapping[str, int], *names: str) -> dict[str, float]:
    return {name: figures[name] for name in names}
