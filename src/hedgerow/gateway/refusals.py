"""Refusals that control is told of: those of claims, and of whoever else asks for an identity.

They belong into the account's record of attempts, where they are looked for. A connection tells once of each template,
and of all else together. Bounds: SUBJECTS of one connection, AT_ONCE of all; what is more is counted, and in the log.
"""

from typing import TYPE_CHECKING, Final

from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger
from hedgerow.gateway.ports import Message, Refused

if TYPE_CHECKING:
    from hedgerow.gateway.connection import Connection
    from hedgerow.gateway.gateway import Gateway

log = get_logger("gateway")

ENROLMENT: Final = ("$aws/certificates/create", "$aws/provisioning-templates/")
SUBJECTS: Final = 16
AT_ONCE: Final = 1024
LONGEST: Final = 8192  # bytes of a payload that control looks into; the device's name is not in a longer one
DEADLINE_S: Final = 10.0


class Refusals:
    """See the module. One per gateway."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self.waiting = 0
        self.untold = 0

    def tell(self, connection: "Connection", why: str, topic: str = "", payload: bytes = b"") -> None:
        """Have control note that this was refused, if it is for control at all. Never waits."""
        if not connection.admitted.claim and not topic.startswith(ENROLMENT):
            return
        subject = "/".join(topic.split("/", 3)[:3]) if topic.startswith(ENROLMENT) else ""
        told = connection.told or frozenset()
        if subject in told or len(told) >= SUBJECTS:
            return
        connection.told = told | {subject}
        if self.waiting >= AT_ONCE:
            self._lose(connection, "too many are being noted")
            return
        message = Message(
            account=connection.account.name,
            topic=topic,
            payload=payload if len(payload) <= LONGEST else b"",
            client_id=connection.question.client_id,
            principal=connection.admitted.principal,
        )
        peer = connection.peer
        question = Refused(message=message, peer=peer.address, by_certificate=peer.certificate is not None, why=why)
        self.waiting += 1
        self._gateway.spawn(self._ask(connection, question))

    async def _ask(self, connection: "Connection", question: Refused) -> None:
        try:
            await self._gateway.control.ask(question, deadline_s=DEADLINE_S)
        except Unavailable as error:
            self._lose(connection, str(error))
        finally:
            self.waiting -= 1

    def _lose(self, connection: "Connection", cause: str) -> None:
        self.untold += 1
        fields = {"account": connection.account.name, "client": connection.question.client_id, "cause": cause}
        log.warning("a refusal is not in the record of attempts", extra={"fields": fields})
