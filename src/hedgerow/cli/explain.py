"""`hedgerow explain`: why a device may do something, or may not."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from hedgerow.cli.asking import asked
from hedgerow.cli.target import target


def explain(
    action: Annotated[str, typer.Option(help="iot:Connect, iot:Publish, iot:RetainPublish, …Receive, …Subscribe.")],
    thing: Annotated[str | None, typer.Option(help="The thing, asked about with each of its certificates.")] = None,
    certificate: Annotated[str | None, typer.Option(help="The id of one certificate.")] = None,
    topic: Annotated[str | None, typer.Option(help="The topic; for iot:Subscribe the filter.")] = None,
    client_id: Annotated[str | None, typer.Option(help="Of the connection; default: the thing's name.")] = None,
    source_ip: Annotated[str | None, typer.Option(help="The address that the device connects from.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The cloud's data folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Name the statement that decides what a device may do, or the variable without a value.

    Exit status 1 when it may not.
    """
    given = {
        "action": action,
        "thingName": thing,
        "certificateId": certificate,
        "topic": topic,
        "clientId": client_id,
        "sourceIp": source_ip,
    }
    request = {name: value for name, value in given.items() if value is not None}
    found = asked(target(data), lambda hedgerow: hedgerow.explain_authorization(**request))["explanations"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        for one in found:
            for line in lines(one):
                typer.echo(line)
    if not all(one["decision"] == "ALLOWED" and one["certificateStatus"] == "ACTIVE" for one in found):
        raise typer.Exit(1)


def lines(one: Mapping[str, Any]) -> list[str]:
    """Answer an explanation as people read it."""
    word = "allowed" if one["decision"] == "ALLOWED" else "denied"
    shown = [f"{word}: {one['explanation']}"]
    if "missingVariable" in one:
        shown.append(f"  the variable {one['missingVariable']} has no value")
    policies = ", ".join(one.get("policyNames", ())) or "none"
    shown.append(f"  certificate {one['certificateId']}, thing {one.get('thingName', 'none')}, policies: {policies}")
    if one["certificateStatus"] != "ACTIVE":
        shown.append(f"  the certificate is {one['certificateStatus']}: it cannot connect at all")
    return shown
