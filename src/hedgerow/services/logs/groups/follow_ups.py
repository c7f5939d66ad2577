"""What happens later to log groups: what is past its retention is deleted, once an hour."""

from hedgerow.services.logs.groups.operations import LogOperations
from hedgerow.store import Answer, FollowUp, Tx


class LogFollowUps:
    """The handler of `log-retention`; its key is the group's name."""

    def __init__(self, *, logs: LogOperations) -> None:
        self._logs = logs

    def on_retention(self, tx: Tx, row: FollowUp) -> Answer:
        self._logs.expire(tx, row.account, row.key)
        return Answer()
