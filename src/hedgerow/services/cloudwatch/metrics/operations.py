"""CloudWatch metrics: one method per operation (Amazon CloudWatch API reference, 2010-08-01)."""

import json
from collections.abc import Mapping
from typing import Any

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager, scope_of
from hedgerow.core.request import Request
from hedgerow.services.cloudwatch.metrics.errors import InvalidParameterCombination, InvalidParameterValue
from hedgerow.services.cloudwatch.metrics.model import (
    Series,
    Statistics,
    bucket_for,
    checked_period,
    checked_time,
    dimensions,
    of_values,
    rolled_up,
)
from hedgerow.services.cloudwatch.metrics.store import MetricStore, accounts
from hedgerow.store import Answer, Tx

MAX_DATAPOINTS = 100_800
MAX_STATISTICS_POINTS = 1_440
LIST_PAGE = 500


class MetricOperations:
    """Put, get and list metrics. Runs on the telemetry database."""

    def __init__(self, *, pager: Pager) -> None:
        self._pager = pager

    def put_metric_data(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store = MetricStore(tx, caller.account)
        namespace = request["Namespace"]
        for datum in request.get("MetricData", ()):
            datum.get("StorageResolution")  # every value is kept by the second
            series = Series(
                namespace=namespace,
                name=datum["MetricName"],
                dimensions=dimensions(datum.get("Dimensions", ())),
                unit=datum.get("Unit", "None"),
            )
            store.add(series, checked_time(datum.get("Timestamp", tx.now), now=tx.now), _values(datum))
        return Answer()

    def put(self, tx: Tx, account: str, series: Series, value: float, at: float) -> None:
        """Add one value of Hedgerow's own (a rule action)."""
        MetricStore(tx, account).add(series, checked_time(at, now=tx.now), of_values([value]))

    def put_counted(self, tx: Tx, account: str, series: Series, counts: Mapping[float, int], at: float) -> None:
        """Add values of Hedgerow's own, each with how often it was seen."""
        statistics = of_values(list(counts), list(counts.values()))
        MetricStore(tx, account).add(series, checked_time(at, now=tx.now), statistics)

    def get_metric_data(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store = MetricStore(tx, caller.account)
        start, end = request["StartTime"], request["EndTime"]
        if start >= end:
            raise InvalidParameterCombination("The parameter StartTime must be less than the parameter EndTime.")
        newest_first = request.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        left = min(request.get("MaxDatapoints", MAX_DATAPOINTS), MAX_DATAPOINTS)
        results = []
        for query in request["MetricDataQueries"]:
            result = _queried(tx, store, query, start, end)
            if result is None:
                continue
            result["points"].sort(reverse=newest_first)
            kept = result["points"][:left]
            left -= len(kept)
            results.append(
                {
                    "Id": result["id"],
                    "Label": result["label"],
                    "Timestamps": [float(at) for at, _ in kept],
                    "Values": [value for _, value in kept],
                    "StatusCode": "Complete" if len(kept) == len(result["points"]) else "PartialData",
                }
            )
        return Answer({"MetricDataResults": results, "Messages": []})

    def get_metric_statistics(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store = MetricStore(tx, caller.account)
        period = checked_period(request["Period"])
        start, end = request["StartTime"], request["EndTime"]
        if start >= end:
            raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
        if (end - start) / period > MAX_STATISTICS_POINTS:
            raise InvalidParameterCombination(
                f"You have requested up to {int((end - start) / period)} datapoints, which exceeds the limit of "
                f"{MAX_STATISTICS_POINTS}. You may reduce the datapoints requested by increasing Period, or decreasing "
                "the time range."
            )
        if "Statistics" not in request:
            raise InvalidParameterCombination("The parameter Statistics must be given.")
        names = request["Statistics"]  # read here: there may be no data to answer them for
        unit = request.get("Unit")
        keys = store.matching(
            request["Namespace"], request["MetricName"], dimensions(request.get("Dimensions", ())), unit
        )
        points = _points(tx, store, keys, period, start, end)
        return Answer(
            {
                "Label": request["MetricName"],
                "Datapoints": [
                    {
                        "Timestamp": float(at),
                        "Unit": unit or "None",
                        **{name: statistics.value(name) for name in names},
                    }
                    for at, statistics in sorted(points.items())
                ],
            }
        )

    def list_metrics(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        scope = scope_of(caller.account, "ListMetrics", request)
        after = self._pager.position(scope, request.get("NextToken")) or ""
        rows = MetricStore(tx, caller.account).series(after=after, count=LIST_PAGE + 1)
        namespace, name = request.get("Namespace"), request.get("MetricName")
        wanted = [(wish["Name"], wish.get("Value")) for wish in request.get("Dimensions", ())]
        metrics = []
        for row in rows[:LIST_PAGE]:
            shown = _shown(row)
            named = namespace in (None, row.namespace) and name in (None, row.name)
            if named and _has(shown["Dimensions"], wanted) and shown not in metrics:
                metrics.append(shown)
        answer: dict[str, Any] = {"Metrics": metrics}
        if len(rows) > LIST_PAGE:
            answer["NextToken"] = self._pager.token(scope, rows[LIST_PAGE - 1].series)
        return Answer(answer)

    def delete_old(self, tx: Tx) -> Answer:
        """Forget what is past its time, in every account."""
        for account in accounts(tx):
            MetricStore(tx, account).delete_old()
        return Answer()


def _values(datum: Request) -> Statistics:
    given = [name for name in ("Value", "Values", "StatisticValues") if name in datum]
    if len(given) != 1:
        raise InvalidParameterCombination("Exactly one of Value, Values and StatisticValues must be given.")
    if given == ["Value"]:
        return of_values([datum["Value"]])
    if given == ["Values"]:
        return of_values(list(datum["Values"]), list(datum["Counts"]) if "Counts" in datum else None)
    statistics = datum["StatisticValues"]
    return Statistics(statistics["SampleCount"], statistics["Sum"], statistics["Minimum"], statistics["Maximum"])


def _queried(tx: Tx, store: MetricStore, query: Request, start: float, end: float) -> dict[str, Any] | None:
    """Answer one query's points, or None when its data is not to be returned."""
    if "Expression" in query:
        raise NotImplementedYet(
            f"the metric math expression of query {query['Id']!r} is not there yet; ask for the metrics "
            "themselves with MetricStat and do the arithmetic on what comes back"
        )
    stat = query["MetricStat"]
    metric = stat["Metric"]
    name, period, statistic = metric["MetricName"], checked_period(stat["Period"]), stat["Stat"]
    keys = store.matching(metric["Namespace"], name, dimensions(metric.get("Dimensions", ())), stat.get("Unit"))
    points = [
        (at, statistics.value(statistic)) for at, statistics in _points(tx, store, keys, period, start, end).items()
    ]
    result = {"id": query["Id"], "label": query.get("Label", name), "points": points}
    return result if query.get("ReturnData", True) else None


def _points(
    tx: Tx, store: MetricStore, keys: list[str], period: int, start: float, end: float
) -> dict[int, Statistics]:
    begin = int(start) - int(start) % period
    return rolled_up(store.buckets(keys, bucket_for(period, start, now=tx.now), begin, end), period)


def _shown(row: Any) -> dict[str, Any]:
    return {
        "Namespace": row.namespace,
        "MetricName": row.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in _dimensions(row)],
    }


def _dimensions(row: Any) -> list[tuple[str, str]]:
    return [(name, value) for name, value in json.loads(row.dimensions)]


def _has(shown: list[dict[str, str]], wanted: list[tuple[str, str | None]]) -> bool:
    return all(
        any(dimension["Name"] == name and value in (None, dimension["Value"]) for dimension in shown)
        for name, value in wanted
    )
