"""What happens to commands later: executions run out of time, and go after half a year; deleted commands go."""

from typing import Protocol

from hedgerow.base.steady import Steady
from hedgerow.services.iot.commands.messages import event_of
from hedgerow.services.iot.commands.store import CommandStore, ExecutionStore
from hedgerow.store import Answer, FollowUp, Tx


class Tags(Protocol):
    """Keeps the tags of resources."""

    def forget(self, tx: Tx, account: str, resource: str) -> None:
        """The resource (`command/…`) is gone."""
        ...


class CommandFollowUps:
    """Handlers of the kinds `command-…`. All may run twice."""

    def __init__(self, *, commands: CommandStore, executions: ExecutionStore, tags: Tags, steady: Steady) -> None:
        self._commands = commands
        self._executions = executions
        self._tags = tags
        self._steady = steady

    def on_timeout(self, tx: Tx, row: FollowUp) -> Answer:
        one = self._executions.get(tx, row.account, row.body["execution"])
        late = None if one is None else one.timed_out(tx.now)
        if one is None or late is None:
            return Answer()
        due_at = one.created_at + one.timeout_s + self._steady.ahead(row.body.get("mark"), tx.now)
        if due_at > tx.now and due_at > row.due_at:  # the clock was set forward, which is no time that passed
            tx.follow_up(row.kind, account=row.account, key=row.key, body=row.body, due_at=due_at)
            return Answer()
        self._executions.put(tx, row.account, late)
        return Answer({}, (event_of(row.account, row.body["region"], late),))

    def on_expiry(self, tx: Tx, row: FollowUp) -> Answer:
        self._executions.remove(tx, row.account, row.body["execution"])
        return Answer()

    def on_deletion(self, tx: Tx, row: FollowUp) -> Answer:
        command = self._commands.get(tx, row.account, row.body["command"])
        if command is not None and command.deletion_at is not None and command.deletion_at <= tx.now:
            self._commands.remove(tx, row.account, command.id)
            self._tags.forget(tx, row.account, f"command/{command.id}")
        return Answer()
