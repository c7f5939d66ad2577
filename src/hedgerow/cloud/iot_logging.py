"""Builds logging options and the IoT log of accounts, and enters their rows."""

from dataclasses import dataclass

from hedgerow.base.clock import Clock
from hedgerow.base.ids import Ids
from hedgerow.cloud.broker import Broker
from hedgerow.cloud.iot_log import IotLog
from hedgerow.cloud.iot_log_lines import IotLogLines
from hedgerow.cloud.operations import iot_logging as rows
from hedgerow.cloud.rows import Tables
from hedgerow.cloud.service_roles import ServiceRoles
from hedgerow.core.paging import Pager
from hedgerow.gateway.ports import Admit, Admitted, Asked, NotAdmitted
from hedgerow.services.iot.groups import GroupStore
from hedgerow.services.iot.logging import LoggingOperations, LoggingStore
from hedgerow.services.iot.pages import Pages
from hedgerow.services.logs.groups import LogOperations
from hedgerow.store import Answer, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class IotLogging:
    """What other parts need of it; it hears what control answers (`cloud.control.Listener`)."""

    log: IotLog
    lines: IotLogLines

    def asked(self, question: Asked, answer: Answer) -> None:
        self.lines.asked(question, answer)

    async def admitted(self, question: Admit, reply: Admitted | NotAdmitted) -> Admitted | NotAdmitted:
        return await self.log.admitted(question, reply)


def build_iot_logging(
    *,
    tables: Tables,
    run: Run,
    clock: Clock,
    ids: Ids,
    region: str,
    pager: Pager,
    roles: ServiceRoles,
    groups: GroupStore,
    logs: LogOperations,
    broker: Broker,
) -> IotLogging:
    """Build it, enter its rows, and have it hear of changes and of gateways' lines."""
    store = LoggingStore()
    tables.serve("iot", rows.rows(logging=LoggingOperations(store=store, roles=roles, pages=Pages(pager))))
    log = IotLog(run=run, clock=clock, ids=ids, region=region, store=store, groups=groups, roles=roles, logs=logs)
    broker.listen(log.on_event)
    broker.hear(log.wants, log.on_message)
    lines = IotLogLines(log)
    tables.follow(rows.follow_up_rows(lines=lines))
    return IotLogging(log=log, lines=lines)
