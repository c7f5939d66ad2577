"""`hedgerow account …`: accounts of a cloud. Only the first account's root key may make and list them."""

import json
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any

import typer

from hedgerow.cli.asking import asked
from hedgerow.cli.target import target

app = typer.Typer(help="Accounts of a cloud. They share nothing.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="The cloud's data folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def create(
    account: Annotated[str | None, typer.Option("--id", help="Twelve digits; default: made up.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make an account and print its id and root access key. The secret is shown this once: keep it."""
    given = {} if account is None else {"accountId": account}
    made = asked(target(data), lambda hedgerow: hedgerow.create_account(**given))
    names = ("accountId", "accessKeyId", "secretAccessKey")
    if as_json:
        typer.echo(json.dumps({name: made[name] for name in names}, indent=2))
        return
    typer.echo(f"account            {made['accountId']}")
    typer.echo(f"access key id      {made['accessKeyId']}")
    typer.echo(f"secret access key  {made['secretAccessKey']}")
    typer.echo("This is the key of the account's root, and its secret is not shown again.", err=True)


@app.command("list")
def list_(data: Data = None, as_json: AsJson = False) -> None:
    """List the accounts of the cloud, and since when they are there."""

    def ask(hedgerow: Any) -> list[dict[str, Any]]:
        pages = hedgerow.get_paginator("list_accounts").paginate()
        return [account for page in pages for account in page["accounts"]]

    shown = [
        {"accountId": account["accountId"], "createdAt": account["createdAt"].astimezone(UTC).isoformat()}
        for account in asked(target(data), ask)
    ]
    if as_json:
        typer.echo(json.dumps(shown, indent=2))
        return
    for each in shown:
        typer.echo(f"{each['accountId']}  {each['createdAt']}")
