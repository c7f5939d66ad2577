"""`hedgerow shadow …`: read and write a thing's shadow, and watch it change."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from hedgerow.base.errors import Unusable
from hedgerow.cli.documents import STANDARD_INPUT, assembled, read, without_nothing
from hedgerow.cli.mqtt import listen, on_subscribe, signed_client
from hedgerow.cli.refusals import in_one_line
from hedgerow.cli.target import target

app = typer.Typer(help="Shadows of things: what they are to be, and what they say they are.", no_args_is_help=True)

Thing = Annotated[str, typer.Argument(metavar="THING", help="The thing's name.")]
Name = Annotated[str | None, typer.Option("--name", help="A named shadow; default: the classic one.")]
Data = Annotated[Path | None, typer.Option("--data", help="The cloud's data folder; default: the environment.")]


@app.command()
def get(
    thing: Thing,
    name: Name = None,
    data: Data = None,
    metadata: Annotated[bool, typer.Option("--metadata", help="Show when each value was set, too.")] = False,
) -> None:
    """Print the shadow: state and version."""
    with in_one_line():
        client = target(data).client("iot-data")
        answer = client.get_thing_shadow(**without_nothing({"thingName": thing, "shadowName": name}))
    document = json.loads(answer["payload"].read())
    typer.echo(_shown(document if metadata else {key: document[key] for key in document if key != "metadata"}))


@app.command("set")
def set_(
    thing: Thing,
    values: Annotated[
        list[str],
        typer.Argument(metavar="KEY=VALUE…|JSON", help="`lamp.on=true`, or one JSON object, @FILE, or - for stdin."),
    ],
    name: Name = None,
    data: Data = None,
    reported: Annotated[
        bool, typer.Option("--reported", help="Write what the thing reports, instead of what is desired.")
    ] = False,
    version: Annotated[
        int | None, typer.Option("--version", min=1, help="Only if the shadow is at this version.")
    ] = None,
) -> None:
    """Change the shadow: what is given is merged into it, and null removes. Prints the new version."""
    state = {"reported" if reported else "desired": _state(values)}
    document = without_nothing({"state": state, "version": version})
    with in_one_line():
        client = target(data).client("iot-data")
        answer = client.update_thing_shadow(
            **without_nothing({"thingName": thing, "shadowName": name}), payload=json.dumps(document).encode()
        )
    typer.echo(f"version {json.loads(answer['payload'].read())['version']}")


@app.command()
def watch(
    thing: Thing,
    name: Name = None,
    data: Data = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many changes.")] = None,
    announce: Annotated[bool, typer.Option("--announce", help="Say on a line of its own when watching.")] = False,
) -> None:
    """Print the shadow after every change, one line of JSON each."""
    for what, text in (("a thing", thing), ("a shadow", "x" if name is None else name)):
        if not text or any(character in text for character in "+#/"):
            raise Unusable(f"{text!r} is not the name of {what}")
    topic = f"$aws/things/{thing}/shadow{'' if name is None else f'/name/{name}'}/update/documents"
    left = [count]

    def on_connect(client: Any, *_: Any) -> None:
        client.subscribe(topic, 1)

    client = signed_client(target(data), on_connect=on_connect)
    client.on_message = _printing(left)
    client.on_subscribe = on_subscribe(topic, announce=announce)
    listen(client)


def _printing(left: list[int | None]) -> Callable[..., None]:
    def on_message(client: Any, _: Any, message: Any) -> None:
        current = json.loads(message.payload)["current"]
        typer.echo(json.dumps({"version": current["version"], "state": current["state"]}, ensure_ascii=False))
        sys.stdout.flush()
        if left[0] is not None:
            left[0] -= 1
            if left[0] <= 0:
                client.disconnect()

    return on_message


def _state(values: list[str]) -> dict[str, Any]:
    if len(values) == 1 and (values[0] == STANDARD_INPUT or values[0].lstrip().startswith(("{", "[", "@"))):
        return read(values[0])
    return assembled(values)


def _shown(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)
