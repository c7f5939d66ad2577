"""What happens to a new certificate that no device has come with in time."""

from hedgerow.core.caller import Caller, Kind
from hedgerow.services.iot.rotation.operations import RotationOperations
from hedgerow.store import Answer, FollowUp, Tx


class RotationFollowUps:
    """Handlers of the follow-ups of rotations."""

    def __init__(self, *, rotations: RotationOperations) -> None:
        self._rotations = rotations

    def on_over(self, tx: Tx, row: FollowUp) -> Answer:
        """End the rotation, unless it was confirmed."""
        caller = Caller(
            account=row.account, region=row.body["region"], principal="", kind=Kind.SERVICE, request_id=str(row.seq)
        )
        return Answer(events=self._rotations.over(tx, caller, row.key))
