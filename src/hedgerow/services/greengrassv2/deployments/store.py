"""The rows of deployments."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
)
from sqlalchemy import update as update_rows

from hedgerow.services.greengrassv2.deployments.model import Deployment, Policies, Status
from hedgerow.store import Tx, metadata

deployments = Table(
    "gg_deployment",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("id", String(36), primary_key=True),
    Column("target", String(160), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("latest", Integer, nullable=False),
    Column("status", String(12), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("client_token", String(64)),
    Column("body", Text, nullable=False),
)
_D: Final = deployments.c
Index("ix_gg_deployment_target", _D.account, _D.target, _D.revision, unique=True)
Index("ix_gg_deployment_created", _D.account, _D.created_at, _D.id)
Index("ix_gg_deployment_token", _D.account, _D.client_token)

targets = Table(
    "gg_deployment_target",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("target", String(160), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("stamp_ms", BigInteger, nullable=False),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_ID: Final[Any] = bindparam("id_")
_TARGET: Final[Any] = bindparam("target_", type_=String())
_BEFORE: Final[Any] = bindparam("before")

_GET = select(deployments).where(_D.account == _ACCOUNT, _D.id == _ID)
_BY_TOKEN = select(deployments).where(_D.account == _ACCOUNT, _D.client_token == bindparam("token"))
_LAST = select(deployments).where(_D.account == _ACCOUNT, _D.target == _TARGET).order_by(_D.revision.desc()).limit(1)
_INSERT = insert(deployments)
_UPDATE = (
    update_rows(deployments)
    .where(_D.account == _ACCOUNT, _D.id == _ID)
    .values(latest=bindparam("latest_"), status=bindparam("status_"), body=bindparam("body_"))
)
_DELETE = delete(deployments).where(_D.account == _ACCOUNT, _D.id == _ID)
_LIST = (
    select(deployments)
    .where(
        _D.account == _ACCOUNT,
        or_(_D.created_at < _BEFORE, and_(_D.created_at == _BEFORE, _D.id > bindparam("after"))),
        or_(_TARGET == "", _D.target == _TARGET),
        _D.latest >= bindparam("latest_"),
    )
    .order_by(_D.created_at.desc(), _D.id)
    .limit(bindparam("limit_"))
)
_LATEST_OF = (
    select(deployments)
    .where(_D.account == _ACCOUNT, _D.latest == 1, _D.target.in_(bindparam("targets", expanding=True)))
    .order_by(_D.created_at.desc(), _D.id)
)
_COUNTED = select(targets).where(targets.c.account == _ACCOUNT, targets.c.target == _TARGET)
_COUNT = (
    update_rows(targets)
    .where(targets.c.account == _ACCOUNT, targets.c.target == _TARGET)
    .values(revision=bindparam("revision_"), stamp_ms=bindparam("stamp_"))
)
_BEGIN_COUNT = insert(targets)
_END_OF_TIME: Final = 1e12


@dataclass(frozen=True, slots=True)
class Counted:
    """How far a target's revisions and time stamps have been counted; deleted deployments count too."""

    revision: int = 0
    stamp_ms: int = 0


class DeploymentStore:
    """Deployments in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, deployment: str) -> Deployment | None:
        """Answer the deployment, or None."""
        row = tx.one(_GET, account_=account, id_=deployment)
        return None if row is None else _deployment(row)

    def by_token(self, tx: Tx, account: str, token: str) -> Deployment | None:
        """Answer the deployment that was made with a client token, or None."""
        row = tx.one(_BY_TOKEN, account_=account, token=token)
        return None if row is None else _deployment(row)

    def last(self, tx: Tx, account: str, target: str) -> Deployment | None:
        """Answer the target's last revision that is there, or None."""
        row = tx.one(_LAST, account_=account, target_=target)
        return None if row is None else _deployment(row)

    def counted(self, tx: Tx, account: str, target: str) -> Counted:
        """Answer the last revision and time stamp that the target ever had."""
        row = tx.one(_COUNTED, account_=account, target_=target)
        return Counted() if row is None else Counted(row.revision, row.stamp_ms)

    def add(self, tx: Tx, account: str, one: Deployment) -> None:
        """Write a new revision down, and that its number and time stamp are used up."""
        values = {"revision": one.revision, "stamp_ms": one.stamp_ms}
        if not tx.run(_COUNT, account_=account, target_=one.target, revision_=one.revision, stamp_=one.stamp_ms):
            tx.run(_BEGIN_COUNT, account=account, target=one.target, **values)
        tx.run(
            _INSERT,
            account=account,
            id=one.id,
            target=one.target,
            revision=one.revision,
            latest=int(one.latest),
            status=one.status.value,
            created_at=one.created_at,
            client_token=one.client_token,
            body=_body(one),
        )

    def put(self, tx: Tx, account: str, one: Deployment) -> None:
        tx.run(
            _UPDATE,
            account_=account,
            id_=one.id,
            latest_=int(one.latest),
            status_=one.status.value,
            body_=_body(one),
        )

    def maybe_tags(self, tx: Tx, account: str, name: str) -> Mapping[str, str] | None:
        """Answer a deployment's tags, None when there is no such deployment."""
        one = self.get(tx, account, name)
        return None if one is None else one.tags

    def put_tags(self, tx: Tx, account: str, name: str, tags: Mapping[str, str]) -> None:
        """Write the tags of a deployment that is there."""
        one = self.get(tx, account, name)
        if one is not None:
            self.put(tx, account, replace(one, tags=tags))

    def remove(self, tx: Tx, account: str, deployment: str) -> None:
        tx.run(_DELETE, account_=account, id_=deployment)

    def list(
        self,
        tx: Tx,
        account: str,
        *,
        target: str = "",
        latest_only: bool = False,
        before: float | None = None,
        after: str = "",
        limit: int,
    ) -> Sequence[Deployment]:
        """Answer deployments, the newest first."""
        rows = tx.all(
            _LIST,
            account_=account,
            target_=target,
            latest_=int(latest_only),
            before=_END_OF_TIME if before is None else before,
            after=after,
            limit_=limit,
        )
        return [_deployment(row) for row in rows]

    def latest_of(self, tx: Tx, account: str, targets: Sequence[str]) -> Sequence[Deployment]:
        """Answer the last revision for each of the targets that has one, the newest first."""
        if not targets:
            return ()
        return [_deployment(row) for row in tx.all(_LATEST_OF, account_=account, targets=list(targets))]


def _body(one: Deployment) -> str:
    return json.dumps(
        {
            "name": one.name,
            "components": one.components,
            "policies": asdict(one.policies),
            "stamp_ms": one.stamp_ms,
            "job": one.job,
            "timeout_minutes": one.timeout_minutes,
            "tags": dict(one.tags),
        }
    )


def _deployment(row: Row[Any]) -> Deployment:
    body = json.loads(row.body)
    return Deployment(
        id=row.id,
        target=row.target,
        revision=row.revision,
        latest=bool(row.latest),
        status=Status(row.status),
        created_at=row.created_at,
        client_token=row.client_token,
        policies=Policies(**body.pop("policies")),
        **body,
    )
