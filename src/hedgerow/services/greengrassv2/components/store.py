"""The rows of component versions; also what other subjects may ask about components."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Column, Float, Row, String, Table, Text, bindparam, delete, insert, select
from sqlalchemy import update as update_rows

from hedgerow.services.greengrassv2.components.catalogue import CATALOGUE
from hedgerow.services.greengrassv2.components.model import Component, KeptArtifact
from hedgerow.store import Tx, metadata

components = Table(
    "gg_component",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("recipe", Text, nullable=False),
    Column("body", Text, nullable=False),
)

_OF: Final = (components.c.account == bindparam("account_")) & (components.c.name == bindparam("name_"))
_GET = select(components).where(_OF, components.c.version == bindparam("version_"))
_VERSIONS = select(components).where(_OF)
_NAMES = (
    select(components.c.name)
    .where(components.c.account == bindparam("account_"), components.c.name > bindparam("after"))
    .distinct()
    .order_by(components.c.name)
    .limit(bindparam("limit_"))
)
_INSERT = insert(components)
_UPDATE = (
    update_rows(components).where(_OF, components.c.version == bindparam("version_")).values(body=bindparam("body_"))
)
_DELETE = delete(components).where(_OF, components.c.version == bindparam("version_"))
_ALL = select(components.c.body).where(components.c.account == bindparam("account_"))


class ComponentStore:
    """Component versions in the database, and the public ones. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, owner: str, name: str, version: str) -> Component | None:
        """Answer one version of an account's (or a public) component, or None."""
        if owner in CATALOGUE:
            return next((one for one in CATALOGUE[owner] if (one.name, one.version) == (name, version)), None)
        row = tx.one(_GET, account_=owner, name_=name, version_=version)
        return None if row is None else _component(row)

    def versions(self, tx: Tx, owner: str, name: str) -> Sequence[Component]:
        """Answer all versions of a component, the newest first."""
        if owner in CATALOGUE:
            found = [one for one in CATALOGUE[owner] if one.name == name]
        else:
            found = [_component(row) for row in tx.all(_VERSIONS, account_=owner, name_=name)]
        return sorted(found, key=lambda one: one.ordered, reverse=True)

    def visible(self, tx: Tx, account: str, name: str) -> Sequence[Component]:
        """Answer all versions that an account can deploy: its own, else the public ones of that name."""
        own = self.versions(tx, account, name)
        return own or [one for owner in CATALOGUE for one in self.versions(tx, owner, name)]

    def exists(self, tx: Tx, account: str, name: str, version: str) -> bool:
        """Tell whether an account can deploy this version."""
        return any(one.version == version for one in self.visible(tx, account, name))

    def names(self, tx: Tx, owner: str, *, after: str, limit: int) -> Sequence[str]:
        """Answer the names of an account's (or the public) components, in order."""
        if owner in CATALOGUE:
            return sorted({one.name for one in CATALOGUE[owner] if one.name > after})[:limit]
        return [row.name for row in tx.all(_NAMES, account_=owner, after=after, limit_=limit)]

    def add(self, tx: Tx, one: Component) -> None:
        tx.run(
            _INSERT,
            account=one.owner,
            name=one.name,
            version=one.version,
            created_at=tx.now,
            recipe=one.recipe,
            body=_body(one),
        )

    def maybe_tags(self, tx: Tx, account: str, name: str) -> Mapping[str, str] | None:
        """Answer the tags of a version (`name:versions:version`), None when there is no such version."""
        one = self._named(tx, account, name)
        return None if one is None else one.tags

    def put_tags(self, tx: Tx, account: str, name: str, tags: Mapping[str, str]) -> None:
        """Write the tags of a version that is there."""
        one = self._named(tx, account, name)
        if one is not None:
            body = _body(replace(one, tags=tags))
            tx.run(_UPDATE, account_=one.owner, name_=one.name, version_=one.version, body_=body)

    def _named(self, tx: Tx, account: str, name: str) -> Component | None:
        component, _, version = name.partition(":versions:")
        return self.get(tx, account, component, version)

    def remove(self, tx: Tx, one: Component) -> None:
        tx.run(_DELETE, account_=one.owner, name_=one.name, version_=one.version)

    def references(self, tx: Tx, account: str) -> set[str]:
        """Answer what all artifacts of an account are called by the keeper of artifacts: these are still needed."""
        bodies = [json.loads(row.body) for row in tx.all(_ALL, account_=account)]
        return {artifact["reference"] for body in bodies for artifact in body["artifacts"]}


def _body(one: Component) -> str:
    return json.dumps(
        {
            "artifacts": [
                {
                    "uri": artifact.uri,
                    "file_name": artifact.file_name,
                    "reference": artifact.reference,
                    "sha256": artifact.sha256,
                    "size": artifact.size,
                }
                for artifact in one.artifacts
            ],
            "tags": dict(one.tags),
            "client_token": one.client_token,
        }
    )


def _component(row: Row[Any]) -> Component:
    body = json.loads(row.body)
    return Component(
        owner=row.account,
        name=row.name,
        version=row.version,
        created_at=row.created_at,
        recipe=row.recipe,
        artifacts=tuple(KeptArtifact(**one) for one in body["artifacts"]),
        tags=body["tags"],
        client_token=body["client_token"],
    )
