"""Takes in health reports: `$aws/things/<thing>/greengrassv2/health/json`. There is no reply.

The first report makes the record. A COMPLETE report replaces the list of components (its later chunks add to it); a
PARTIAL one changes those that it names, and takes away those that no deployment wants any more.
"""

from collections.abc import Mapping
from typing import Any, Final

from hedgerow.base.log import get_logger
from hedgerow.core.caller import Caller
from hedgerow.core.topics import TopicRequest
from hedgerow.services.greengrassv2.core_devices.model import CoreDevice, Installed, Report, UnusableReport, read_report
from hedgerow.services.greengrassv2.core_devices.store import CoreDeviceStore
from hedgerow.store import Answer, Tx

_NO_REPLIES: Final[Mapping[str, Any]] = {"replies": ()}
_log = get_logger("greengrass")


class HealthTopics:
    """Reports that arrive as publications."""

    def __init__(self, *, store: CoreDeviceStore) -> None:
        self._store = store

    def on_health(self, tx: Tx, request: TopicRequest, caller: Caller) -> Answer:
        thing = request.parts[0]
        try:
            report = read_report(request.payload, tx.now)
        except UnusableReport as error:
            fields = {"account": caller.account, "thing": thing, "reason": str(error)}
            _log.warning("health report not usable", extra={"fields": fields})
            return Answer(_NO_REPLIES)
        device = self._store.get(tx, caller.account, thing)
        if device is None or not device.has_seen(report):
            self._take_in(tx, caller.account, thing, device, report)
        return Answer(_NO_REPLIES)

    def _take_in(self, tx: Tx, account: str, thing: str, device: CoreDevice | None, report: Report) -> None:
        joined = device is not None and device.in_one_with(report)
        before = {one.name: one for one in self._store.components(tx, account, thing)}
        told = {one.name: one.after(before.get(one.name)) for one in report.components}
        kept = before if joined or not report.complete else {}
        if not report.complete:
            kept = {name: one for name, one in kept.items() if not _gone(one, told.get(name))}
            told = {name: one for name, one in told.items() if not _gone(before.get(name), one)}
        self._store.put_components(tx, account, thing, list((kept | told).values()))
        chunks = (*device.chunks, report.chunk) if device is not None and joined else (report.chunk,)
        self._store.put(
            tx,
            account,
            CoreDevice(
                thing=thing,
                sequence=report.sequence,
                stamp=report.stamp,
                chunks=chunks,
                version=report.version,
                platform=report.platform,
                architecture=report.architecture,
                runtime=report.runtime,
                healthy=report.healthy,
                reported_at=tx.now,
                tags={} if device is None else device.tags,
            ),
        )


def _gone(before: Installed | None, told: Installed | None) -> bool:
    """Tell whether a deployment wanted the component before and none does now: it was taken off the device."""
    return before is not None and told is not None and bool(before.sources) and not told.sources
