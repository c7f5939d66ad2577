"""The rows of core devices and of the components on them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Column, Float, Integer, Row, String, Table, Text, bindparam, delete, insert, or_, select
from sqlalchemy import update as update_rows

from hedgerow.services.greengrassv2.core_devices.model import CoreDevice, Installed
from hedgerow.store import Tx, metadata

core_devices = Table(
    "gg_core_device",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("thing", String(128), primary_key=True),
    Column("healthy", Integer, nullable=False),
    Column("runtime", String(255), nullable=False),
    Column("reported_at", Float, nullable=False),
    Column("body", Text, nullable=False),
)
installed = Table(
    "gg_installed_component",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("thing", String(128), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("body", Text, nullable=False),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_THING: Final[Any] = bindparam("thing_")
_AFTER: Final[Any] = bindparam("after")
_LIMIT: Final[Any] = bindparam("limit_")
_HEALTHY: Final[Any] = bindparam("healthy_", type_=Integer())
_RUNTIME: Final[Any] = bindparam("runtime_", type_=String())
_C: Final = core_devices.c
_I: Final = installed.c

_GET = select(core_devices).where(_C.account == _ACCOUNT, _C.thing == _THING)
_INSERT = insert(core_devices)
_UPDATE = (
    update_rows(core_devices)
    .where(_C.account == _ACCOUNT, _C.thing == _THING)
    .values(
        healthy=bindparam("new_healthy"),
        runtime=bindparam("new_runtime"),
        reported_at=bindparam("new_reported_at"),
        body=bindparam("new_body"),
    )
)
_DELETE = delete(core_devices).where(_C.account == _ACCOUNT, _C.thing == _THING)
_LIST = (
    select(core_devices)
    .where(
        _C.account == _ACCOUNT,
        _C.thing > _AFTER,
        or_(_HEALTHY < 0, _C.healthy == _HEALTHY),
        or_(_RUNTIME == "", _C.runtime == _RUNTIME),
    )
    .order_by(_C.thing)
    .limit(_LIMIT)
)
_ON = select(installed).where(_I.account == _ACCOUNT, _I.thing == _THING, _I.name > _AFTER).order_by(_I.name)
_ADD = insert(installed)
_CLEAR = delete(installed).where(_I.account == _ACCOUNT, _I.thing == _THING)


class CoreDeviceStore:
    """Core devices in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, thing: str) -> CoreDevice | None:
        """Answer the core device, or None."""
        row = tx.one(_GET, account_=account, thing_=thing)
        return None if row is None else _device(row)

    def put(self, tx: Tx, account: str, device: CoreDevice) -> None:
        """Write the record in place of the one before."""
        values = {
            "healthy": int(device.healthy),
            "runtime": device.runtime,
            "reported_at": device.reported_at,
            "body": _device_body(device),
        }
        new = {f"new_{name}": value for name, value in values.items()}
        if not tx.run(_UPDATE, account_=account, thing_=device.thing, **new):
            tx.run(_INSERT, account=account, thing=device.thing, **values)

    def maybe_tags(self, tx: Tx, account: str, name: str) -> Mapping[str, str] | None:
        """Answer a core device's tags, None when there is no such core device."""
        one = self.get(tx, account, name)
        return None if one is None else one.tags

    def put_tags(self, tx: Tx, account: str, name: str, tags: Mapping[str, str]) -> None:
        """Write the tags of a core device that is there."""
        one = self.get(tx, account, name)
        if one is not None:
            self.put(tx, account, replace(one, tags=tags))

    def remove(self, tx: Tx, account: str, thing: str) -> None:
        tx.run(_CLEAR, account_=account, thing_=thing)
        tx.run(_DELETE, account_=account, thing_=thing)

    def list(
        self, tx: Tx, account: str, *, healthy: bool | None, runtime: str, after: str, limit: int
    ) -> Sequence[CoreDevice]:
        """Answer core devices by name."""
        rows = tx.all(
            _LIST,
            account_=account,
            healthy_=-1 if healthy is None else int(healthy),
            runtime_=runtime,
            after=after,
            limit_=limit,
        )
        return [_device(row) for row in rows]

    def components(self, tx: Tx, account: str, thing: str, *, after: str = "") -> Sequence[Installed]:
        """Answer what is on the core device, by name."""
        return [_installed(row) for row in tx.all(_ON, account_=account, thing_=thing, after=after)]

    def put_components(self, tx: Tx, account: str, thing: str, components: Sequence[Installed]) -> None:
        """Write down all that is on the core device."""
        tx.run(_CLEAR, account_=account, thing_=thing)
        tx.run_many(
            _ADD,
            [
                {"account": account, "thing": thing, "name": one.name, "body": _installed_body(one)}
                for one in components
            ],
        )


def _device_body(device: CoreDevice) -> str:
    return json.dumps(
        {
            "sequence": device.sequence,
            "stamp": device.stamp,
            "chunks": device.chunks,
            "version": device.version,
            "platform": device.platform,
            "architecture": device.architecture,
            "tags": dict(device.tags),
        }
    )


def _device(row: Row[Any]) -> CoreDevice:
    body = json.loads(row.body)
    return CoreDevice(
        thing=row.thing,
        healthy=bool(row.healthy),
        runtime=row.runtime,
        reported_at=row.reported_at,
        chunks=tuple(body.pop("chunks")),
        **body,
    )


def _installed_body(one: Installed) -> str:
    return json.dumps(
        {
            "version": one.version,
            "state": one.state,
            "details": one.details,
            "codes": one.codes,
            "is_root": one.is_root,
            "sources": one.sources,
            "changed_at": one.changed_at,
            "reported_at": one.reported_at,
        }
    )


def _installed(row: Row[Any]) -> Installed:
    body = json.loads(row.body)
    codes, sources = tuple(body.pop("codes")), tuple(body.pop("sources"))
    return Installed(name=row.name, codes=codes, sources=sources, **body)
