"""Where an account's telemetry and faults are to be found, read off its topic rules.

A rule that selects FROM a filter with `+` and has cloudwatchMetric actions says which topics carry telemetry, which
level of the topic names the device, and under which name each value is stored. A rule with a cloudwatchLogs action
says which log may hold faults; whether it does is seen in the events. What cannot be read off with certainty is left
out: a value whose metric is an expression has no live member, a metric whose name depends on the payload no past.
Pure; the rules come from iot:ListTopicRules and iot:GetTopicRule. Spec: AWS IoT developer guide, rules, SQL reference.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_TOKEN: Final = re.compile(r"'[^']*'|\"[^\"]*\"|[A-Za-z_]\w*|[()]|\S")
_PLACE: Final = re.compile(r"\$\{\s*(?:topic\(\s*(\d+)\s*\)|(clientid)\(\s*\))\s*\}")
_PATH: Final = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_MEMBER: Final = re.compile(rf"\$\{{\s*({_PATH})\s*\}}")
_SWITCH: Final = re.compile(rf"\$\{{\s*CASE\s+({_PATH})\s+WHEN\s+true\s+THEN\s+1\s+ELSE\s+0\s+END\s*\}}", re.IGNORECASE)
_RESERVED: Final = frozenset({"true", "false", "null", "undefined"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value that a rule stores. `member` is where a message carries it, () when only the metric tells."""

    label: str
    unit: str  # "" when there is none
    namespace: str
    metric: str  # the name's template, "" when it cannot be told for a device
    member: tuple[str, ...]
    switch: bool = False  # 1 and 0 stand for true and false

    def metric_of(self, thing: str) -> str:
        """Answer the metric's name for a device, "" when there is none of its own."""
        return _PLACE.sub(lambda _: thing, self.metric)

    def read(self, payload: Mapping[str, Any]) -> float | None:
        """Answer the value in a message, None when it is not there or no number."""
        found: Any = payload
        for name in self.member:
            if not isinstance(found, Mapping) or name not in found:
                return None
            found = found[name]
        return float(found) if self.member and isinstance(found, int | float) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """One rule's telemetry: the topics, the level (from 1) that names the device, the values."""

    rule: str
    filter: str
    level: int
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultLog:
    """A log that may hold faults, and the topics whose messages go into it."""

    rule: str
    filter: str
    level: int  # of the topic, that names the device; 0: none does
    log_group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything that the rules tell."""

    telemetry: tuple[Telemetry, ...] = ()
    faults: tuple[FaultLog, ...] = ()

    def filters(self) -> frozenset[str]:
        """Answer the topic filters that are worth listening to."""
        return frozenset([each.filter for each in self.telemetry] + [each.filter for each in self.faults])


def derive(rules: Iterable[Mapping[str, Any]]) -> Sources:
    """Answer the sources; `rules` are the `rule` parts of GetTopicRule's answers. Disabled rules tell nothing."""
    telemetry: list[Telemetry] = []
    faults: list[FaultLog] = []
    for rule in sorted(rules, key=lambda rule: str(rule.get("ruleName", ""))):
        topic_filter = filter_of(rule.get("sql", ""))
        if rule.get("ruleDisabled") or topic_filter is None:
            continue
        name, actions = str(rule.get("ruleName", "")), rule.get("actions", ())
        metrics = [action["cloudwatchMetric"] for action in actions if "cloudwatchMetric" in action]
        if metrics and (source := _telemetry(name, topic_filter, metrics)) is not None:
            telemetry.append(source)
        faults += [
            FaultLog(rule=name, filter=topic_filter, level=_wild_level(topic_filter), log_group=group)
            for action in actions
            if "${" not in (group := action.get("cloudwatchLogs", {}).get("logGroupName", "${"))
        ]
    return Sources(telemetry=tuple(telemetry), faults=tuple(faults))


def filter_of(sql: str) -> str | None:
    """Answer the topic filter that a statement selects from, None when it has none."""
    depth, after_from = 0, False
    for token in _TOKEN.findall(sql):
        if after_from and token[0] in "'\"":
            return str(token[1:-1])
        depth += {"(": 1, ")": -1}.get(token, 0)
        after_from = depth == 0 and token.upper() == "FROM"
    return None


def thing_in(topic: str, topic_filter: str, level: int) -> str | None:
    """Answer the level of the topic that names the device; None when the topic does not match the filter."""
    parts, wanted = topic.split("/"), topic_filter.split("/")
    for index, want in enumerate(wanted):
        if want == "#":
            break
        if index >= len(parts) or want not in ("+", parts[index]):
            return None
    else:
        if len(parts) != len(wanted):
            return None
    return parts[level - 1] if 1 <= level <= len(parts) else None


def _telemetry(rule: str, topic_filter: str, metrics: list[Mapping[str, Any]]) -> Telemetry | None:
    level = 0
    for metric in metrics:
        for place in _PLACE.finditer(metric.get("metricName", "")):
            level = level or _level(topic_filter, place)
    level = level or _wild_level(topic_filter)
    if not level:
        return None  # one topic for all: nothing tells the devices apart
    values = {value.label: value for value in (_value(metric, topic_filter, level) for metric in reversed(metrics))}
    return Telemetry(rule=rule, filter=topic_filter, level=level, values=tuple(reversed(values.values())))


def _value(metric: Mapping[str, Any], topic_filter: str, level: int) -> Value:
    template, expression = str(metric.get("metricName", "")), str(metric.get("metricValue", ""))
    switch = _SWITCH.fullmatch(expression.strip())
    found = switch or _MEMBER.fullmatch(expression.strip())
    member = tuple(found[1].split(".")) if found and found[1].lower() not in _RESERVED else ()
    label = _PLACE.sub("", template).strip("./-_: ") or ".".join(member) or template
    unit, namespace = str(metric.get("metricUnit", "None")), str(metric.get("metricNamespace", ""))
    return Value(
        label=label,
        unit="" if unit == "None" else unit,
        namespace=namespace,
        metric=template if _is_own(template, topic_filter, level) and "${" not in namespace else "",
        member=member,
        switch=switch is not None,
    )


def _is_own(template: str, topic_filter: str, level: int) -> bool:
    """Tell whether the metric's name holds the device's name, and nothing that only a message could tell."""
    places = list(_PLACE.finditer(template))
    same = all(place[2] or int(place[1]) == level for place in places)
    return bool(places) and same and "${" not in _PLACE.sub("", template)


def _level(topic_filter: str, place: re.Match[str]) -> int:
    if place[2]:  # the client id is the device's name, whichever level has it
        return _wild_level(topic_filter)
    parts, level = topic_filter.split("/"), int(place[1])
    return level if level <= len(parts) and parts[level - 1] == "+" else 0


def _wild_level(topic_filter: str) -> int:
    parts = topic_filter.split("/")
    return parts.index("+") + 1 if "+" in parts else 0
