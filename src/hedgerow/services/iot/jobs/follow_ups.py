"""What happens to jobs later: timers, the rest of large roll-outs, cancellations and deletions, group membership."""

from hedgerow.services.iot.jobs.changes import Jobs
from hedgerow.store import Answer, FollowUp, Tx


class JobFollowUps:
    """Handlers of the kinds `job-…` and `thing-group-membership`. All may run twice."""

    def __init__(self, *, jobs: Jobs) -> None:
        self._jobs = jobs

    def on_timeout(self, tx: Tx, row: FollowUp) -> Answer:
        body = row.body
        return Answer({}, self._jobs.time_out(tx, row.account, body["job"], body["thing"], body["number"]))

    def on_rollout(self, tx: Tx, row: FollowUp) -> Answer:
        return Answer({}, self._jobs.roll_out(tx, row.account, row.body["job"], row.body["after"]))

    def on_start(self, tx: Tx, row: FollowUp) -> Answer:
        return Answer({}, self._jobs.start(tx, row.account, row.body["job"]))

    def on_end(self, tx: Tx, row: FollowUp) -> Answer:
        return Answer({}, self._jobs.end(tx, row.account, row.body["job"]))

    def on_cancellation(self, tx: Tx, row: FollowUp) -> Answer:
        return Answer({}, self._jobs.cancel_batch(tx, row.account, row.body["job"], force=row.body["force"]))

    def on_deletion(self, tx: Tx, row: FollowUp) -> Answer:
        return Answer({}, self._jobs.delete_batch(tx, row.account, row.body["job"]))

    def on_notice(self, tx: Tx, row: FollowUp) -> Answer:
        """A thing changed its own queue: now that it has its answer, it is told what it has to do."""
        body = row.body
        return Answer({}, self._jobs.queue.tell(tx, row.account, body["thing"], body["namespace"], body["topics"]))

    def on_membership(self, tx: Tx, row: FollowUp) -> Answer:
        """A thing joined or left a group: continuous jobs follow."""
        return Answer({}, self._jobs.follow_membership(tx, row.account, row.body["thing"], row.body["group"]))

    def on_thing_gone(self, tx: Tx, row: FollowUp) -> Answer:
        """A thing was deleted: what was queued for it is removed."""
        return Answer({}, self._jobs.drop(tx, row.account, row.body["thing"]))
