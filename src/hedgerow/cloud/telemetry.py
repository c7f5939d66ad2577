"""Builds what watches: logs, metrics, topic rules with their actions."""

import asyncio
from dataclasses import dataclass
from typing import Final

from hedgerow.base.clock import Clock
from hedgerow.base.ids import Ids
from hedgerow.cloud.iot_log_lines import IotLogLines
from hedgerow.cloud.operations import cloudwatch as cloudwatch_rows
from hedgerow.cloud.operations import iot_rules as rule_rows
from hedgerow.cloud.operations import logs as log_rows
from hedgerow.cloud.publishing import STORED_WITHIN_S, publish_stored
from hedgerow.cloud.rows import Tables
from hedgerow.cloud.rules import RuleEngine
from hedgerow.cloud.service_roles import ServiceRoles
from hedgerow.cloud.webhooks import Webhooks
from hedgerow.core.paging import Pager
from hedgerow.gateway.ports import Asked, Bus, Control, Message
from hedgerow.services.cloudwatch.metrics import MetricFlows, MetricOperations
from hedgerow.services.cloudwatch.metrics.model import Series
from hedgerow.services.iot.destinations import DestinationFlows, DestinationOperations
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.rules import ActionFlows, RuleOperations
from hedgerow.services.lambda_.functions import LambdaFlows
from hedgerow.services.logs.groups import LogOperations
from hedgerow.services.logs.groups.follow_ups import LogFollowUps
from hedgerow.store import Run

FORGET_EVERY_S: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """What other parts need of it."""

    engine: RuleEngine
    metrics: MetricFlows

    async def keep(self) -> None:
        """Forget metrics that are past their time, now and then; until cancelled."""
        while True:
            await self.metrics.forget()
            await asyncio.sleep(FORGET_EVERY_S)


def build_logs(*, tables: Tables, pager: Pager) -> LogOperations:
    """Build the logs, which functions need before there are rules."""
    logs = LogOperations(pager=pager)
    tables.serve("logs", log_rows.rows(logs=logs))
    tables.follow(log_rows.follow_up_rows(logs=LogFollowUps(logs=logs)))
    return logs


def build_telemetry(
    *,
    tables: Tables,
    run: Run,
    telemetry_run: Run,
    clock: Clock,
    ids: Ids,
    region: str,
    pager: Pager,
    roles: ServiceRoles,
    functions: LambdaFlows,
    webhooks: Webhooks,
    bus: Bus,
    control: Control,
    logs: LogOperations,
    listener: IotLogLines,
) -> Telemetry:
    """Build metrics and rules, and enter their rows."""
    pages = Pages(pager)
    metrics = MetricFlows(run=telemetry_run, metrics=MetricOperations(pager=pager))
    tables.serve("cloudwatch", cloudwatch_rows.rows(metrics=metrics))
    rules = RuleOperations(pages=pages, roles=roles)
    destinations = DestinationOperations(pages=pages, ids=ids)
    deliveries = DestinationFlows(run=run, http=webhooks, destinations=destinations, region=region)
    actions = ActionFlows(
        run=run,
        clock=clock,
        region=region,
        roles=roles,
        functions=_Functions(functions),
        webhooks=deliveries,
        messages=_Messages(bus, control),
        logs=logs,
        metrics=_Metrics(metrics),
    )
    actions.on_end = listener.executed
    tables.serve("iot", rule_rows.rows(rules=rules, destinations=destinations))
    tables.follow(rule_rows.follow_up_rows(actions=actions, destinations=deliveries))
    engine = RuleEngine(run=run, clock=clock, ids=ids, rules=rules, actions=actions, listener=listener)
    return Telemetry(engine=engine, metrics=metrics)


class _Functions:
    """The lambda action: the event is queued durably, under the function's own policy."""

    def __init__(self, flows: LambdaFlows) -> None:
        self._flows = flows

    async def invoke(self, account: str, function_arn: str, payload: bytes, source_arn: str) -> None:
        await self._flows.invoke_function(
            account,
            function_arn,
            payload,
            invocation_type="Event",
            source="iot.amazonaws.com",
            source_arn=source_arn,
        )


class _Messages:
    """The republish action: onto the bus, and stored wherever a receiver needs it."""

    def __init__(self, bus: Bus, control: Control) -> None:
        self._bus = bus
        self._control = control

    async def publish(self, account: str, topic: str, payload: bytes, *, qos: int, rule: str, hops: int) -> None:
        message = Message(account=account, topic=topic, payload=payload, qos=qos, principal=f"rule:{rule}", hops=hops)
        if self._control.wants(message):
            await self._control.ask(Asked(message=message), deadline_s=STORED_WITHIN_S)
            return
        if qos == 0:
            self._bus.publish(message)
            return
        await publish_stored(self._bus, message)


class _Metrics:
    """The cloudwatchMetric action."""

    def __init__(self, flows: MetricFlows) -> None:
        self._flows = flows

    async def put_value(self, account: str, namespace: str, name: str, unit: str, value: float, at: float) -> None:
        series = Series(namespace=namespace, name=name, dimensions=(), unit=unit)
        await self._flows.put(account, series, value, at)
