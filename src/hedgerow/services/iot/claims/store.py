"""The rows of claims, registered and temporary. Implied ones have none: their policies say it."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, Float, Integer, Row, String, Table, Text, bindparam, delete, insert, select
from sqlalchemy import update as update_rows

from hedgerow.services.iot.claims.model import Claim, Kind
from hedgerow.store import Tx, metadata

OVER: Final = "temporary-claim-over"
"""Follow-up, key: certificate id. Due when a temporary claim ends."""

claims = Table(
    "iot_claim",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("certificate_id", String(64), primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("templates", Text),  # JSON
    Column("devices", Integer),
    Column("used", Integer, nullable=False),
    Column("not_before", Float),
    Column("not_after", Float),
    Column("networks", Text, nullable=False),  # JSON
    Column("created_by", Text),
    Column("created_at", Float, nullable=False),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_ID: Final[Any] = bindparam("id_")

_GET = select(claims).where(claims.c.account == _ACCOUNT, claims.c.certificate_id == _ID)
_TEMPORARY = select(claims).where(claims.c.certificate_id == _ID, claims.c.kind == Kind.TEMPORARY.value)
_LIST = (
    select(claims)
    .where(claims.c.account == _ACCOUNT, claims.c.certificate_id > bindparam("after"))
    .order_by(claims.c.certificate_id)
    .limit(bindparam("limit_"))
)
_INSERT = insert(claims)
_UPDATE = update_rows(claims).where(claims.c.account == _ACCOUNT, claims.c.certificate_id == _ID)
_DELETE = delete(claims).where(claims.c.account == _ACCOUNT, claims.c.certificate_id == _ID)


class ClaimStore:
    """Claims in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, certificate_id: str) -> Claim | None:
        """Answer the account's claim, registered or temporary, or None."""
        row = tx.one(_GET, account_=account, id_=certificate_id)
        return None if row is None else _claim(row)

    def temporary(self, tx: Tx, certificate_id: str) -> tuple[str, Claim] | None:
        """Answer (account, claim) of a temporary one, or None. The handshake names no account."""
        row = tx.one(_TEMPORARY, id_=certificate_id)
        return None if row is None else (row.account, _claim(row))

    def list(self, tx: Tx, account: str, *, after: str, limit: int) -> Sequence[Claim]:
        """Answer claims by their certificate ids, those after one."""
        return [_claim(row) for row in tx.all(_LIST, account_=account, after=after, limit_=limit)]

    def put(self, tx: Tx, account: str, claim: Claim) -> None:
        """Write the claim, new or changed."""
        columns = {
            "kind": claim.kind.value,
            "templates": None if claim.templates is None else json.dumps(claim.templates),
            "devices": claim.devices,
            "used": claim.used,
            "not_before": claim.not_before,
            "not_after": claim.not_after,
            "networks": json.dumps(claim.networks),
            "created_by": claim.created_by,
            "created_at": claim.created_at,
        }
        if tx.run(_UPDATE, account_=account, id_=claim.certificate_id, **columns) == 0:
            tx.run(_INSERT, account=account, certificate_id=claim.certificate_id, **columns)

    def remove(self, tx: Tx, account: str, certificate_id: str) -> None:
        tx.run(_DELETE, account_=account, id_=certificate_id)


def _claim(row: Row[Any]) -> Claim:
    return Claim(
        certificate_id=row.certificate_id,
        kind=Kind(row.kind),
        templates=None if row.templates is None else tuple(json.loads(row.templates)),
        devices=row.devices,
        used=row.used,
        not_before=row.not_before,
        not_after=row.not_after,
        networks=tuple(json.loads(row.networks)),
        created_by=row.created_by,
        created_at=row.created_at,
    )
