"""`hedgerow vending …`: devices that hold only public data, and who of them gets a certificate."""

import csv
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from hedgerow.base.errors import Unusable
from hedgerow.cli.asking import asked
from hedgerow.cli.moments import utc
from hedgerow.cli.pairs import pairs
from hedgerow.cli.target import target

app = typer.Typer(help="The vending machine: devices that ask for a certificate.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="The cloud's data folder; default: the environment.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Serial = Annotated[str, typer.Argument(metavar="SERIAL", help="The device's serial number.")]
Template = Annotated[str, typer.Option("--template", help="The provisioning template that makes its thing.")]

Until = Annotated[datetime | None, typer.Option("--until", help="When the approval ends, UTC; default: in a week.")]

_AT_ONCE: Final = 100
_LONGEST_TOKEN: Final = 256
_SERIAL: Final = re.compile(r"[a-zA-Z0-9:_-]{1,128}")


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option("--state", help="PENDING, APPROVED, DENIED or ISSUED.")] = None,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """List the devices that asked or were imported."""
    given = {} if state is None else {"state": state.upper()}

    def ask(hedgerow: Any) -> list[dict[str, Any]]:
        pages = hedgerow.get_paginator("list_vending_requests").paginate(**given)
        return [device for page in pages for device in page["devices"]]

    for device in asked(target(data), ask):
        typer.echo(json.dumps(_plain(device)) if as_json else _in_words(device))


@app.command()
def approve(
    serial: Serial,
    template: Template,
    parameter: Annotated[list[str] | None, typer.Option("--parameter", help="NAME=VALUE for the template.")] = None,
    until: Until = None,
    data: Data = None,
) -> None:
    """Let a device have a certificate, once; one whose certificate was deactivated may have another."""
    _check(serial)
    parameters = pairs("--parameter", parameter or ())
    more = ({"parameters": parameters} if parameters else {}) | _ending(until)
    asked(
        target(data),
        lambda hedgerow: hedgerow.approve_vending_request(serialNumber=serial, templateName=template, **more),
    )
    typer.echo(f"{serial} may have a certificate.")


@app.command()
def deny(serial: Serial, data: Data = None) -> None:
    """Refuse a device from now on."""
    _check(serial)
    asked(target(data), lambda hedgerow: hedgerow.deny_vending_request(serialNumber=serial))
    typer.echo(f"{serial} is denied.")


@app.command()
def forget(serial: Serial, data: Data = None) -> None:
    """Forget a device: the next time it asks it is unknown again."""
    _check(serial)
    asked(target(data), lambda hedgerow: hedgerow.delete_vending_request(serialNumber=serial))
    typer.echo(f"{serial} is forgotten.")


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV with the columns serial and token, and parameters.")
    ],
    template: Template,
    until: Until = None,
    data: Data = None,
) -> None:
    """Approve devices before they ask: serial, token, and further columns as parameters of the template."""
    entries = list(_entries(file))
    if not entries:
        raise Unusable(f"{file} names no device")
    imported = 0
    left: list[str] = []
    denied: list[str] = []

    def ask(hedgerow: Any) -> None:
        nonlocal imported
        for begin in range(0, len(entries), _AT_ONCE):
            some = entries[begin : begin + _AT_ONCE]
            done = hedgerow.import_vending_devices(templateName=template, devices=some, **_ending(until))
            imported += done["imported"]
            left.extend(done.get("alreadyIssued", []))
            denied.extend(done.get("denied", []))

    try:
        asked(target(data), ask)
    except Unusable as error:
        so_far = f"{imported} of {len(entries)} devices may have a certificate, the others not: " if imported else ""
        raise Unusable(f"{so_far}{error}") from error
    typer.echo(f"{imported} devices may have a certificate.")
    for serial in left:
        typer.echo(f"{serial} has one already and is left as it is.", err=True)
    for serial in denied:
        typer.echo(f"{serial} was denied and stays so: approve it by itself.", err=True)


def _entries(file: Path) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened, strict=True)
            columns = reader.fieldnames or ()
            if not {"serial", "token"} <= set(columns):
                raise Unusable(f"{file} must begin with a line of names, among them serial and token")
            if len(set(columns)) < len(columns):
                raise Unusable(f"{file} names a column more than once")
            for row in reader:
                fault = _fault(row, seen)
                if fault:
                    raise Unusable(f"{file}, line {reader.line_num}: {fault}")
                seen.add(row["serial"])
                more = {name: text for name, text in row.items() if name not in ("serial", "token") and name and text}
                entry: dict[str, Any] = {"serialNumber": row["serial"], "token": row["token"]}
                yield {**entry, "parameters": more} if more else entry
    except UnicodeDecodeError as error:
        raise Unusable(f"cannot read {file}: it is not written in UTF-8; save it so") from error
    except (OSError, csv.Error) as error:
        raise Unusable(f"cannot read {file}: {error}") from error


def _fault(row: dict[str, Any], seen: set[str]) -> str:
    if None in row or None in row.values():
        return "it has not as many fields as the first line"
    if not row["serial"] or not row["token"]:
        return "serial and token must be given"
    if not _SERIAL.fullmatch(row["serial"]):
        return f"a serial number has 1 to 128 letters, digits, : _ and -; {row['serial']!r} has not"
    if len(row["token"]) > _LONGEST_TOKEN or row["token"].strip() != row["token"]:
        return f"a token has at most {_LONGEST_TOKEN} characters, and no blanks around it"
    if row.get(""):
        return f"{row['']!r} is in a column without a name"
    return f"{row['serial']} is there twice" if row["serial"] in seen else ""


def _check(serial: str) -> None:
    if not _SERIAL.fullmatch(serial):
        raise Unusable(f"a serial number has 1 to 128 letters, digits, : _ and -; {serial!r} has not")


def _ending(until: datetime | None) -> dict[str, datetime]:
    return {} if until is None else {"expiresAt": utc(until)}


def _plain(device: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in device.items()
    }


def _in_words(device: dict[str, Any]) -> str:
    """Answer one line: `4711  PENDING  since 2026-11-21 08:00  from 192.0.2.1`, and how long it is approved."""
    line = f"{device['serialNumber']}  {device['state']}"
    if "requestedAt" in device:
        line += f"  since {device['requestedAt'].astimezone(UTC):%Y-%m-%d %H:%M}  from {device.get('address', '-')}"
    if device["state"] == "APPROVED" and "expiresAt" in device:
        line += f"  until {device['expiresAt'].astimezone(UTC):%Y-%m-%d %H:%M}"
    return line
