"""Rows of topic rules."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Boolean, Column, Float, Row, String, Table, Text, bindparam, delete, insert, select, update

from hedgerow.services.iot.rules.model import TopicRule
from hedgerow.store import Tx, metadata

topic_rules = Table(
    "topic_rule",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("sql", Text, nullable=False),
    Column("version", String(16), nullable=False),
    Column("description", Text, nullable=False),
    Column("actions", Text, nullable=False),
    Column("error_action", Text),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
)

_R = topic_rules.c
_KEY: Final = (_R.account == bindparam("account_"), _R.name == bindparam("name_"))
GET = select(topic_rules).where(*_KEY)
ADD = insert(topic_rules)
CHANGE = (
    update(topic_rules)
    .where(*_KEY)
    .values(
        sql=bindparam("sql"),
        version=bindparam("version"),
        description=bindparam("description"),
        actions=bindparam("actions"),
        error_action=bindparam("error_action"),
        disabled=bindparam("disabled"),
    )
)
DELETE = delete(topic_rules).where(*_KEY)
LIST = (
    select(topic_rules)
    .where(_R.account == bindparam("account_"), _R.name > bindparam("after"))
    .order_by(_R.name)
    .limit(bindparam("count"))
)
ENABLED = select(topic_rules).where(_R.account == bindparam("account_"), _R.disabled.is_(False)).order_by(_R.name)
ACCOUNTS = select(_R.account).where(_R.disabled.is_(False)).distinct()


class RuleStore:
    """The rows of one account."""

    def __init__(self, tx: Tx, account: str) -> None:
        self._tx = tx
        self._account = account

    def get(self, name: str) -> TopicRule | None:
        row = self._tx.one(GET, account_=self._account, name_=name)
        return None if row is None else _rule(row)

    def add(self, rule: TopicRule) -> None:
        self._tx.run(ADD, account=self._account, name=rule.name, created_at=rule.created_at, **_columns(rule))

    def change(self, rule: TopicRule) -> None:
        self._tx.run(CHANGE, account_=self._account, name_=rule.name, **_columns(rule))

    def delete(self, name: str) -> None:
        self._tx.run(DELETE, account_=self._account, name_=name)

    def page(self, *, after: str, count: int) -> list[TopicRule]:
        return [_rule(row) for row in self._tx.all(LIST, account_=self._account, after=after, count=count)]

    def enabled(self) -> list[TopicRule]:
        return [_rule(row) for row in self._tx.all(ENABLED, account_=self._account)]


def accounts_with_rules(tx: Tx) -> Sequence[str]:
    """Answer the accounts that have an enabled rule."""
    return [row.account for row in tx.all(ACCOUNTS)]


def _columns(rule: TopicRule) -> dict[str, Any]:
    return {
        "sql": rule.sql,
        "version": rule.version,
        "description": rule.description,
        "actions": json.dumps(rule.actions),
        "error_action": None if rule.error_action is None else json.dumps(rule.error_action),
        "disabled": rule.disabled,
    }


def _rule(row: Row[Any]) -> TopicRule:
    return TopicRule(
        name=row.name,
        sql=row.sql,
        version=row.version,
        description=row.description,
        actions=tuple(json.loads(row.actions)),
        error_action=None if row.error_action is None else json.loads(row.error_action),
        disabled=row.disabled,
        created_at=row.created_at,
    )
