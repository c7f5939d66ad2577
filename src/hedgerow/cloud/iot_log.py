"""Writes the IoT logs of accounts: lines of gateways and of control go to CloudWatch Logs, in the role that was given.

It knows what every account wants (`LogRules`, read at the start and told with each change), so whoever has something
to say asks first. Lines wait in a bounded row and are written some at a time; what finds no room, and what the role may
not write, is counted and said in one line of our own log. Nothing waits for a line.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from hedgerow.base.clock import Clock
from hedgerow.base.errors import Unavailable
from hedgerow.base.ids import Ids
from hedgerow.base.log import get_logger
from hedgerow.cloud.service_roles import ServiceRoles
from hedgerow.core.arn import arn
from hedgerow.core.events import Event, LoggingChanged
from hedgerow.core.iotlog import GROUP_V1, NOTHING, Entry, Level, LogRules, Wanted, stream_at
from hedgerow.gateway.activity import TOPIC, decode
from hedgerow.gateway.ports import Admit, Admitted, Message, NotAdmitted
from hedgerow.services.iot.groups import GroupStore
from hedgerow.services.iot.logging import LoggingOptions, LoggingStore
from hedgerow.services.logs.groups import LogOperations
from hedgerow.store import Answer, Run, Tx

log = get_logger("iot-log")

WAITING: Final = 50_000  # lines; the newest beyond it are dropped
BATCH: Final = 500
EVERY_S: Final = 0.2
SAID_EVERY_S: Final = 60.0  # what was lost, for each account
KNOWN: Final = 100_000  # clients of whom it is remembered what is wanted
PRINCIPAL_LENGTH: Final = 64

_THING: Final = "iot:Connection.Thing.ThingName"


@dataclass(slots=True)
class Losses:
    """What did not get into an account's log since it was last said."""

    full: int = 0
    forbidden: int = 0
    role: str = ""
    said_at: float = float("-inf")


class IotLog:
    """See the module. `run` is its task; all of it is on the loop."""

    def __init__(
        self,
        *,
        run: Run,
        clock: Clock,
        ids: Ids,
        region: str,
        store: LoggingStore,
        groups: GroupStore,
        roles: ServiceRoles,
        logs: LogOperations,
    ) -> None:
        self._run = run
        self._clock = clock
        self._ids = ids
        self._region = region
        self._store = store
        self._groups = groups
        self._roles = roles
        self._logs = logs
        self._rules: dict[str, LogRules] = {}
        self._default: dict[str, Wanted] = {}  # of accounts that want anything: of clients of whom nothing else is
        self._known: OrderedDict[tuple[str, str], Wanted] = OrderedDict()
        self._waiting: deque[Entry] = deque()
        self._news = asyncio.Event()
        self._last: dict[str, int] = {}
        self._losses: dict[str, Losses] = {}
        self.written = 0
        self.dropped = 0
        self.refused = 0

    async def load(self) -> None:
        """Read what every account wants."""

        def read(tx: Tx) -> dict[str, LogRules | None]:
            return {account: self._store.rules(tx, account) for account in self._store.accounts(tx)}

        found = await self._run.read(read)
        for account, rules in found.items():
            if rules is not None:
                self._hold(account, rules)

    def on_event(self, event: Event) -> None:
        """Take note of a change; called at commit, before it is answered."""
        if isinstance(event, LoggingChanged):
            self._hold(event.account, event.rules)
            for key in [key for key in self._known if key[0] == event.account]:
                del self._known[key]

    def _hold(self, account: str, rules: LogRules) -> None:
        self._rules[account], default = rules, rules.wanted()
        if not rules.disabled and (default.anything or any(rules.targets.values())):
            self._default[account] = default
        else:
            self._default.pop(account, None)

    # --- what is wanted

    def is_on(self, account: str) -> bool:
        """Tell whether the account wants any lines at all."""
        return account in self._default

    def wanted(self, account: str, *, client_id: str = "", principal: str = "", address: str = "") -> Wanted:
        """Answer what is wanted of a client: as it was when it was let in, else without its thing's groups."""
        default = self._default.get(account)
        if default is None:
            return NOTHING
        rules = self._rules[account]
        if not rules.targets:
            return default
        known = self._known.get((account, client_id)) if client_id else None
        return known or rules.wanted(client_id=client_id, principal=_bare(principal), address=address)

    async def admitted(self, question: Admit, reply: Admitted | NotAdmitted) -> Admitted | NotAdmitted:
        """Answer the gateway's question with what is wanted of the client; note that somebody was not let in."""
        if isinstance(reply, NotAdmitted):
            self._not_admitted(question, reply)
            return reply
        rules = self._rules.get(reply.account)
        if rules is None or not self.is_on(reply.account):
            return reply
        account, thing = reply.account, reply.variables.get(_THING)
        lines: Sequence[Sequence[str]] = ()
        if rules.by_group and thing is not None:
            lines = await self._run.read(lambda tx: self._lines(tx, account, thing))
        wanted = rules.wanted(
            client_id=question.client_id, principal=_bare(reply.principal), address=question.peer, lines=lines
        )
        self._remember(account, question.client_id, wanted)
        return replace(reply, logging=wanted) if wanted.anything else reply

    def _lines(self, tx: Tx, account: str, thing: str) -> Sequence[Sequence[str]]:
        found = (self._groups.get(tx, account, name) for name in self._groups.groups_of(tx, account, thing))
        return [(group.name, *reversed(group.line)) for group in found if group is not None]

    def _remember(self, account: str, client_id: str, wanted: Wanted) -> None:
        self._known[account, client_id] = wanted
        self._known.move_to_end((account, client_id))
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)

    def _not_admitted(self, question: Admit, reply: NotAdmitted) -> None:
        if reply.account is None:
            return
        fields = {
            "protocol": "MQTT",
            "clientId": question.client_id,
            "principalId": reply.principal,
            "sourceIp": question.peer,
            "reason": reply.reason,
            "details": reply.detail,
        }
        wanted = self.wanted(
            reply.account, client_id=question.client_id, principal=reply.principal, address=question.peer
        )
        self.note(reply.account, wanted, "Connect", Level.ERROR, fields, failed=True)

    # --- lines

    def note(
        self,
        account: str,
        wanted: Wanted,
        event: str,
        level: Level,
        fields: Mapping[str, Any],
        *,
        trace: str = "",
        failed: bool = False,
    ) -> None:
        """Write a line, if it is wanted; returns at once."""
        if wanted.wants(event, level):
            self._add(
                Entry(
                    account=account,
                    at=self._clock.now(),
                    level=level,
                    event=event,
                    trace=trace or self._ids.uuid(),
                    fields=fields,
                    failed=failed,
                )
            )

    def wants(self, topic: str) -> bool:
        """Tell whether a publication on the bus carries lines of a gateway."""
        return topic == TOPIC

    def on_message(self, message: Message) -> None:
        """Take the lines of a gateway; a batch that comes twice is written once."""
        gateway, number, dropped, entries = decode(message)
        if number <= self._last.get(gateway, -1):
            return
        self._last[gateway] = number
        if dropped:
            self.dropped += dropped
            self._loss(message.account).full += dropped
        for entry in entries:
            self._add(entry)
        self._news.set()

    def _add(self, entry: Entry) -> None:
        if len(self._waiting) >= WAITING:
            self.dropped += 1
            self._loss(entry.account).full += 1
        else:
            self._waiting.append(entry)
        self._news.set()

    def _loss(self, account: str) -> Losses:
        return self._losses.setdefault(account, Losses())

    # --- writing

    async def run(self) -> None:
        """Write what waits, some at a time, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self.write()
            await asyncio.sleep(EVERY_S)

    async def write(self) -> None:
        """Write everything that waits, and say what was lost."""
        while self._waiting:
            batch = list(islice(self._waiting, BATCH))
            try:
                kept = await self._run.write(lambda tx, batch=batch: self._keep(tx, batch))  # type: ignore[misc]  # a default binds the loop's variable
            except Unavailable:
                log.warning("lines of IoT logs could not be written; it is tried again", exc_info=True)
                self._news.set()
                return
            for _ in batch:
                self._waiting.popleft()
            self._count(kept.response)
        self._say()

    def statistics(self) -> dict[str, int]:
        """Answer counters and the length of the row with its bound."""
        return {
            "waiting": len(self._waiting),
            "waiting_bound": WAITING,
            "written": self.written,
            "dropped": self.dropped,
            "refused": self.refused,
        }

    def _count(self, kept: Mapping[str, Any]) -> None:
        self.written += kept["written"]
        for account, (count, role) in kept["refused"].items():
            self.refused += count
            losses = self._loss(account)
            losses.forbidden += count
            losses.role = role

    def _keep(self, tx: Tx, batch: Iterable[Entry]) -> Answer:
        by_account: dict[str, list[Entry]] = {}
        for entry in batch:
            by_account.setdefault(entry.account, []).append(entry)
        written, refused = 0, {}
        for account, entries in by_account.items():
            options = self._store.get(tx, account)
            if options is not None and not options.disabled and options.role is not None:
                done = self._keep_for(tx, account, options, options.role, entries)
                written += done
                if done < len(entries):
                    refused[account] = (len(entries) - done, options.role)
        return Answer({"written": written, "refused": refused})

    def _keep_for(self, tx: Tx, account: str, options: LoggingOptions, role: str, entries: Sequence[Entry]) -> int:
        groups: dict[str, list[tuple[int, str]]] = {}
        for entry in entries:
            group = GROUP_V1 if options.version == 1 else options.destination(entry.event)
            text = entry.plain() if options.version == 1 else entry.line()
            groups.setdefault(group, []).append((int(entry.at * 1000), text))
        stream = stream_at(tx.now)
        written = 0
        for group, lines in groups.items():
            if self._may_write(tx, account, role, group, stream):
                self._logs.append(tx, account, group, stream, lines)
                written += len(lines)
        return written

    def _may_write(self, tx: Tx, account: str, role: str, group: str, stream: str) -> bool:
        """Tell whether the role may do all that is needed: a missing group or stream is made by it, too."""
        named = arn("logs", self._region, account, f"log-group:{group}")
        missing = self._logs.missing(tx, account, group, stream)
        needed = [("logs:PutLogEvents", f"{named}:log-stream:{stream}")]
        needed += [("logs:CreateLogGroup", named)] if "group" in missing else []
        needed += [("logs:CreateLogStream", f"{named}:log-stream:{stream}")] if "stream" in missing else []
        source = arn("iot", self._region, account, "*")
        return all(self._roles.role_allows(tx, account, role, action, resource, source) for action, resource in needed)

    def _say(self) -> None:
        now = self._clock.now()
        for account, losses in self._losses.items():
            if not (losses.full or losses.forbidden) or now - losses.said_at < SAID_EVERY_S:
                continue
            fields = {"account": account, "no_room": losses.full, "role_may_not": losses.forbidden, "role": losses.role}
            log.warning("lines of an IoT log were lost", extra={"fields": fields})
            self._losses[account] = Losses(said_at=now)


def _bare(principal: str) -> str:
    """Answer the certificate's id where a principal is one, as targets and lines name it."""
    last = principal.rpartition("/")[2]
    return last if len(last) == PRINCIPAL_LENGTH and ":cert/" in principal else principal
