"""`hedgerow claim …`: certificates that can do nothing but be provisioned, and what limits them."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from hedgerow.base.errors import Unusable
from hedgerow.base.files import RealFiles
from hedgerow.cli.asking import asked
from hedgerow.cli.moments import utc
from hedgerow.cli.refusals import in_one_line
from hedgerow.cli.target import target

app = typer.Typer(help="Claims: certificates with which devices enrol.", no_args_is_help=True)

CERTIFICATE: Final = "claim.pem"
KEY: Final = "claim.key"
_ID: Final = re.compile(r"[0-9a-fA-F]{64}")

Data = Annotated[Path | None, typer.Option("--data", help="The cloud's data folder; default: the environment.")]
Certificate = Annotated[str, typer.Argument(metavar="CERTIFICATE", help="The certificate's id.")]


@app.command()
def create(
    template: Annotated[str, typer.Option("--template", help="The provisioning template that it is for.")],
    out: Annotated[Path, typer.Option("--out", help="The folder for its two files.")] = Path(),
    data: Data = None,
) -> None:
    """Make a claim that is good for some minutes, to be handed to a device at once."""
    key, certificate = out / KEY, out / CERTIFICATE
    if key.exists() or certificate.exists():
        raise Unusable(f"{key if key.exists() else certificate} is there already; name another folder with --out")
    with in_one_line():
        made = target(data).client("iot").create_provisioning_claim(templateName=template)
    files = RealFiles()
    files.make_folder(out, mode=0o700)
    files.write_durably(key, made["keyPair"]["PrivateKey"].encode(), mode=0o600)
    files.write_durably(certificate, made["certificatePem"].encode(), mode=0o644)
    typer.echo(f"{certificate} and {key} are good until {_told(made['expiration'])}.")


@app.command()
def put(
    certificate: Certificate,
    template: Annotated[list[str] | None, typer.Option("--template", help="May be repeated; default: any.")] = None,
    devices: Annotated[int | None, typer.Option("--devices", min=0, help="How many in all; default: any.")] = None,
    begin: Annotated[datetime | None, typer.Option("--from", help="When it begins, UTC.")] = None,
    end: Annotated[datetime | None, typer.Option("--until", help="When it ends, UTC.")] = None,
    network: Annotated[
        list[str] | None, typer.Option("--network", help="From where, as 192.0.2.0/24; may be repeated.")
    ] = None,
    data: Data = None,
) -> None:
    """Say that a certificate is a claim, and what limits it; given again, the limits are these."""
    wanted = {
        "templates": template or None,
        "devices": devices,
        "notBefore": None if begin is None else utc(begin),
        "notAfter": None if end is None else utc(end),
        "networks": network or None,
    }
    limits = {name: value for name, value in wanted.items() if value is not None}
    _check(certificate)
    done = asked(target(data), lambda hedgerow: hedgerow.put_claim(certificateId=certificate, **limits))
    typer.echo(_in_words(done["claim"]))


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Data = None,
) -> None:
    """List claims of every kind: registered, temporary, and those that their policies make one (IMPLIED)."""

    def ask(hedgerow: Any) -> list[dict[str, Any]]:
        pages = hedgerow.get_paginator("list_claims").paginate()
        return [claim for page in pages for claim in page["claims"]]

    for claim in asked(target(data), ask):
        plain = {name: _told(value) if isinstance(value, datetime) else value for name, value in claim.items()}
        typer.echo(json.dumps(plain) if as_json else _in_words(claim))


@app.command()
def delete(certificate: Certificate, data: Data = None) -> None:
    """Take a registered claim's limits away, or end a temporary claim and its connections."""
    _check(certificate)
    asked(target(data), lambda hedgerow: hedgerow.delete_claim(certificateId=certificate))
    typer.echo(f"{certificate} is no claim any more, as far as this says.")


def _check(certificate: str) -> None:
    if not _ID.fullmatch(certificate):
        raise Unusable(f"{certificate!r} is no certificate's id, which has 64 hexadecimal digits")


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _in_words(claim: dict[str, Any]) -> str:
    """Answer one line: `3f2a…  REGISTERED  2 of 10 devices  until 2026-12-01T00:00:00Z  from 192.0.2.0/24`."""
    used = f"{claim.get('devicesUsed', 0)} of {claim['devices']} devices" if "devices" in claim else ""
    parts = [
        claim["certificateId"],
        claim["kind"],
        "unlimited" if claim.get("unlimited") else used,
        f"for {', '.join(claim['templates'])}" if "templates" in claim else "",
        f"from {_told(claim['notBefore'])}" if "notBefore" in claim else "",
        f"until {_told(claim['notAfter'])}" if "notAfter" in claim else "",
        f"in {', '.join(claim['networks'])}" if "networks" in claim else "",
    ]
    return "  ".join(part for part in parts if part)
