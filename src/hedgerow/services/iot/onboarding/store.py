"""The rows of the record: two rings per account, so that nobody can make it grow.

What was refused has a ring of its own: strangers who are refused again and again drive out nothing but refusals.
An attempt has a number, which grows, and the place behind that of the last one in its ring.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    bindparam,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy import update as update_rows

from hedgerow.services.iot.onboarding.model import KEPT_S, MOST, Attempt, Outcome, Way
from hedgerow.store import Tx, metadata

attempts = Table(
    "iot_onboarding",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Column("way", String(16), nullable=False),
    Column("outcome", String(8), nullable=False),
    Column("reason", Text),
    Column("device", String(128)),
    Column("certificate_id", String(64)),
    Column("template", String(36)),
    Column("principal", Text),
    Column("client_id", String(128)),
    Column("address", String(64)),
)
Index("ix_iot_onboarding_number", attempts.c.account, attempts.c.number)
Index("ix_iot_onboarding_outcome", attempts.c.account, attempts.c.outcome, attempts.c.number)
Index("ix_iot_onboarding_device", attempts.c.account, attempts.c.device, attempts.c.number)

_ACCOUNT: Final[Any] = bindparam("account_")
_PLACE: Final[Any] = bindparam("place_")
_OUTCOME: Final[Any] = bindparam("outcome_")
_DEVICE: Final[Any] = bindparam("device_")

_LAST = select(func.max(attempts.c.number)).where(attempts.c.account == _ACCOUNT)
_LAST_PLACE = (
    select(attempts.c.place)
    .where(attempts.c.account == _ACCOUNT, attempts.c.outcome == _OUTCOME)
    .order_by(attempts.c.number.desc())
    .limit(1)
)
_UPDATE = update_rows(attempts).where(attempts.c.account == _ACCOUNT, attempts.c.place == _PLACE)
_INSERT = insert(attempts)
_LIST = (
    select(attempts)
    .where(
        attempts.c.account == _ACCOUNT,
        attempts.c.number < bindparam("before"),
        attempts.c.at >= bindparam("since"),
        or_(_OUTCOME == "", attempts.c.outcome == _OUTCOME),
        or_(_DEVICE == "", attempts.c.device == _DEVICE),
    )
    .order_by(attempts.c.number.desc())
    .limit(bindparam("limit_"))
)

NEWEST: Final = 2**62


class OnboardingStore:
    """The record in the database. It holds nothing; one serves every transaction."""

    def add(self, tx: Tx, account: str, attempt: Attempt) -> int:
        """Write an attempt, in the place of the oldest that ended like it when there are many; answer its number."""
        last = tx.one(_LAST, account_=account)
        number = 1 + (0 if last is None or last[0] is None else int(last[0]))
        place = self._place(tx, account, attempt.outcome)
        columns = {
            "number": number,
            "at": attempt.at,
            "way": attempt.way.value,
            "outcome": attempt.outcome.value,
            "reason": attempt.reason,
            "device": attempt.device,
            "certificate_id": attempt.certificate_id,
            "template": attempt.template,
            "principal": attempt.principal,
            "client_id": attempt.client_id,
            "address": attempt.address,
        }
        if tx.run(_UPDATE, account_=account, place_=place, **columns) == 0:
            tx.run(_INSERT, account=account, place=place, **columns)
        return number

    def _place(self, tx: Tx, account: str, outcome: Outcome) -> int:
        ring = MOST if outcome is Outcome.REFUSED else 0
        last = tx.one(_LAST_PLACE, account_=account, outcome_=outcome.value)
        return ring if last is None or last[0] < ring else ring + (last[0] + 1 - ring) % MOST

    def list(
        self, tx: Tx, account: str, *, before: int = NEWEST, outcome: str = "", device: str = "", limit: int
    ) -> Sequence[tuple[int, Attempt]]:
        """Answer (number, attempt), newest first, those before a number; "" asks for any outcome or device."""
        rows = tx.all(
            _LIST,
            account_=account,
            before=before,
            since=tx.now - KEPT_S,
            outcome_=outcome,
            device_=device,
            limit_=limit,
        )
        return [(row.number, _attempt(row)) for row in rows]


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        at=row.at,
        way=Way(row.way),
        outcome=Outcome(row.outcome),
        reason=row.reason,
        device=row.device,
        certificate_id=row.certificate_id,
        template=row.template,
        principal=row.principal,
        client_id=row.client_id,
        address=row.address,
    )
