"""The operations on fleet metrics. What they measure is checked against the index when they are made."""

from dataclasses import replace
from typing import Any, Protocol

from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.fleet_metrics.errors import MetricExists, MetricNotFound
from hedgerow.services.iot.fleet_metrics.follow_ups import DUE
from hedgerow.services.iot.fleet_metrics.model import FleetMetric
from hedgerow.services.iot.fleet_metrics.store import FleetMetricStore
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx

VERSION = "2017-09-30"  # of the query language


class Index(Protocol):
    """The fleet's indexes."""

    def check(self, tx: Tx, account: str, index: str, query: str, field: str) -> None:
        """Raise the service's error when the index is not ready, the query is none, or the field cannot be counted."""
        ...


class FleetMetricOperations:
    """The operations on fleet metrics."""

    def __init__(self, *, store: FleetMetricStore, index: Index, pages: Pages) -> None:
        self._store = store
        self._index = index
        self._pages = pages

    def create_fleet_metric(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, aggregation = request["metricName"], request["aggregationType"]
        metric = FleetMetric(
            name=name,
            query=request["queryString"],
            kind=aggregation["name"],
            values=tuple(aggregation.take_all("values") or ()),
            field=request["aggregationField"],
            period=request["period"],
            index=request.get("indexName") or "AWS_Things",
            description=request.get("description"),
            unit=request.get("unit"),
            created_at=tx.now,
            changed_at=tx.now,
        ).checked()
        _known_version(request)
        self._index.check(tx, caller.account, metric.index, metric.query, metric.field)
        there = self._store.get(tx, caller.account, name)
        if there is None:
            self._schedule(tx, caller, metric, new=True)
        elif not there.same(metric):
            raise MetricExists(name, metric_arn=_arn(caller, name))
        return Answer({"metricName": name, "metricArn": _arn(caller, name)})

    def describe_fleet_metric(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        metric = self._get(tx, caller, request["metricName"])
        shown: dict[str, Any] = {
            **_named(caller, metric),
            "queryString": metric.query,
            "aggregationType": {"name": metric.kind, "values": list(metric.values)},
            "period": metric.period,
            "aggregationField": metric.field,
            "queryVersion": VERSION,
            "indexName": metric.index,
            "creationDate": metric.created_at,
            "lastModifiedDate": metric.changed_at,
            "version": metric.version,
        }
        optional = {"description": metric.description, "unit": metric.unit}
        return Answer({**shown, **{member: value for member, value in optional.items() if value is not None}})

    def list_fleet_metrics(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        page = self._pages.by_token(request, caller, "ListFleetMetrics")
        found = self._store.list(tx, caller.account, after=page.after(), limit=page.limit)
        return Answer(page.answer("fleetMetrics", found, key=lambda m: (m.name,), show=lambda m: _named(caller, m)))

    def update_fleet_metric(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        metric = self._get(tx, caller, request["metricName"])
        metric.expect(request.get("expectedVersion"))
        _known_version(request)
        changes = {
            member: request[asked]
            for member, asked in (
                ("query", "queryString"),
                ("field", "aggregationField"),
                ("period", "period"),
                ("description", "description"),
                ("unit", "unit"),
            )
            if asked in request
        }
        aggregation = request.get("aggregationType")
        if aggregation is not None:
            changes |= {"kind": aggregation["name"], "values": tuple(aggregation.take_all("values") or ())}
        new = replace(
            metric, **changes, index=request["indexName"], version=metric.version + 1, changed_at=tx.now
        ).checked()
        self._index.check(tx, caller.account, new.index, new.query, new.field)
        self._schedule(tx, caller, new, new=False)
        return Answer({})

    def delete_fleet_metric(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, expected = request["metricName"], request.get("expectedVersion")
        metric = self._store.get(tx, caller.account, name)
        if metric is not None:
            metric.expect(expected)
            self._store.remove(tx, caller.account, name)
            tx.cancel_follow_ups(DUE, account=caller.account, key=name)
        return Answer({})

    def _schedule(self, tx: Tx, caller: Caller, metric: FleetMetric, *, new: bool) -> None:
        due = metric.after(tx.now)
        timed = replace(metric, next_at=due)
        (self._store.add if new else self._store.put)(tx, caller.account, timed)
        tx.cancel_follow_ups(DUE, account=caller.account, key=metric.name)
        tx.follow_up(DUE, account=caller.account, key=metric.name, body={"at": due}, due_at=due)

    def _get(self, tx: Tx, caller: Caller, name: str) -> FleetMetric:
        metric = self._store.get(tx, caller.account, name)
        if metric is None:
            raise MetricNotFound(name)
        return metric


def _known_version(request: Request) -> None:
    if request.get("queryVersion") not in (None, VERSION):
        raise InvalidRequest(f"queryVersion {request.get('queryVersion')} is not known; there is {VERSION}")


def _arn(caller: Caller, name: str) -> str:
    return arn("iot", caller.region, caller.account, f"fleetmetric/{name}")


def _named(caller: Caller, metric: FleetMetric) -> dict[str, str]:
    return {"metricName": metric.name, "metricArn": _arn(caller, metric.name)}
