"""`hedgerow cloud connections`: who is connected, with what went in and out; and cutting them off."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from hedgerow.base.errors import Unusable
from hedgerow.cli.asking import asked
from hedgerow.cli.target import target

_COLUMNS: Final = (
    "client",
    "thing",
    "address",
    "protocol",
    "since",
    "packets in/out",
    "bytes in/out",
    "subs",
    "queued",
)


def connections(
    data: Annotated[Path | None, typer.Option("--data", help="The cloud's data folder.")] = None,
    client: Annotated[str | None, typer.Option(help="Only this client id.")] = None,
    thing: Annotated[str | None, typer.Option(help="Only connections that speak for this thing.")] = None,
    principal: Annotated[str | None, typer.Option(help="Only this certificate (id or ARN) or signer (ARN).")] = None,
    address: Annotated[str | None, typer.Option(help="Only from this address, or network like 192.0.2.0/24.")] = None,
    cut: Annotated[bool, typer.Option("--cut", help="Cut them off instead of listing them.")] = False,
    everyone: Annotated[bool, typer.Option("--everyone", help="With --cut and no filter: everyone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List who is connected by MQTT, or cut them off."""
    given = {"clientId": client, "thingName": thing, "principal": principal, "sourceIp": address}
    filters = {name: value for name, value in given.items() if value is not None}
    if cut:
        if everyone is bool(filters):
            raise Unusable("say who is to be cut off: --client, --thing, --principal, --address, or else --everyone")
        more = {"everyone": True} if everyone else {}
        closed = asked(target(data), lambda hedgerow: hedgerow.close_connections(**filters, **more))["closed"]
        typer.echo(json.dumps({"closed": closed}) if as_json else f"{closed} cut off")
        return

    def ask(hedgerow: Any) -> list[dict[str, Any]]:
        pages = hedgerow.get_paginator("list_connections").paginate(**filters)
        return [one for page in pages for one in page["connections"]]

    found = asked(target(data), ask)
    if as_json:
        typer.echo(json.dumps(found, indent=2, default=_time))
        return
    for line in table(found):
        typer.echo(line)


def table(found: list[dict[str, Any]]) -> list[str]:
    """Answer connections as lines of aligned columns."""
    rows = [_COLUMNS, *(_row(one) for one in found)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_COLUMNS))]
    return ["  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    return (
        one["clientId"],
        one.get("thingName", "-"),
        f"{one['sourceIp']}:{one['sourcePort']}",
        f"{one['protocol']} {one['transport']}",
        _time(one["connectedSince"]),
        f"{one['packetsIn']}/{one['packetsOut']}",
        f"{one['bytesIn']}/{one['bytesOut']}",
        str(one["subscriptions"]),
        f"{one['queuedMessages']}/{one['queueBound']}",
    )


def _time(moment: Any) -> str:
    if not isinstance(moment, datetime):
        raise TypeError(f"{moment!r} is no time")
    return moment.astimezone(UTC).isoformat(timespec="seconds")
