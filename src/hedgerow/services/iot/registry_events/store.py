"""The rows of event configurations: one for each account that ever changed its own."""

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Column, Float, Row, String, Table, Text, bindparam, insert, select
from sqlalchemy import update as update_rows

from hedgerow.services.iot.registry_events.model import Configuration, Kind
from hedgerow.store import Tx, metadata

configurations = Table(
    "iot_event_configuration",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("enabled", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("modified_at", Float, nullable=False),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_ALL = select(configurations)
_GET = select(configurations).where(configurations.c.account == _ACCOUNT)
_INSERT = insert(configurations)
_UPDATE = update_rows(configurations).where(configurations.c.account == _ACCOUNT)


class EventConfigurationStore:
    """Event configurations in the database."""

    def get(self, tx: Tx, account: str) -> Configuration:
        """Answer what the account has configured; a new one has nothing switched on."""
        row = tx.one(_GET, account_=account)
        return Configuration() if row is None else _configuration(row)

    def put(self, tx: Tx, account: str, new: Configuration) -> None:
        values = {
            "enabled": json.dumps(sorted(kind.value for kind in new.enabled)),
            "created_at": new.created_at,
            "modified_at": new.modified_at,
        }
        if not tx.run(_UPDATE, account_=account, **values):
            tx.run(_INSERT, account=account, **values)

    def of_all(self, tx: Tx) -> Mapping[str, Configuration]:
        """Answer the configurations of all accounts."""
        return {row.account: _configuration(row) for row in tx.all(_ALL)}


def _configuration(row: Row[Any]) -> Configuration:
    return Configuration(
        enabled=frozenset(Kind(name) for name in json.loads(row.enabled)),
        created_at=row.created_at,
        modified_at=row.modified_at,
    )
