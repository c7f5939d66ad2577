"""`hedgerow cloud …`: start a cloud, look at it, and point other tools at it."""

import json
import os
import shlex
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any

import typer

from hedgerow.cli.connections import connections
from hedgerow.cli.target import data_path, read_ready

app = typer.Typer(help="A cloud of your own.", no_args_is_help=True)

app.command()(connections)

Data = Annotated[Path, typer.Option("--data", help="The data folder.")]


@app.command()
def up(
    data: Data,
    bind: Annotated[
        str | None, typer.Option(help="Where to listen; API and console too then, with TLS (console: off loopback).")
    ] = None,
    host: Annotated[list[str] | None, typer.Option(help="A name of this cloud; may be repeated.")] = None,
    account: Annotated[str | None, typer.Option(help="The first account's 12 digits.")] = None,
    region: Annotated[str | None, typer.Option(help="The region, for good.")] = None,
    api_port: Annotated[int | None, typer.Option(help="API for operators (8080); 0: any free port.")] = None,
    mqtt_port: Annotated[int | None, typer.Option(help="MQTT with mutual TLS (8883).")] = None,
    https_port: Annotated[int | None, typer.Option(help="HTTPS for devices (8443).")] = None,
    console_port: Annotated[int | None, typer.Option(help="The web console (8090).")] = None,
    port_443: Annotated[bool, typer.Option("--port-443", help="MQTT and HTTPS on 443, by ALPN.")] = False,
    limits: Annotated[str | None, typer.Option(help="aws-shapes (default), aws or own.")] = None,
    settings: Annotated[Path | None, typer.Option(help="A settings file instead of DIR/hedgerow.toml.")] = None,
    ready_file: Annotated[Path | None, typer.Option(help="Written when every listener accepts.")] = None,
    console: Annotated[bool | None, typer.Option("--console/--no-console", help="Start the web console.")] = None,
) -> None:
    """Run a cloud in the foreground; SIGTERM ends it cleanly."""
    from hedgerow.cloud.settings import read_settings

    given: dict[str, Any] = {
        "data": data,
        "bind": bind,
        "host": tuple(host) if host else None,
        "account": account,
        "region": region,
        "api_port": api_port,
        "mqtt_port": mqtt_port,
        "https_port": https_port,
        "alpn_port": 443 if port_443 else None,
        "console_port": console_port,
        "limits": limits,
        "ready_file": ready_file,
        "console": console,
    }
    read = read_settings(given, environment=os.environ, file=settings)
    from hedgerow.cloud.main import run  # takes a second: what is wrong with a setting is said before

    run(read)


@app.command()
def env(data: Data) -> None:
    """Print shell lines that point the AWS tools at this cloud: eval "$(hedgerow cloud env --data DIR)"."""
    for line in environment_lines(read_ready(data)):
        typer.echo(line)


def environment_lines(ready: dict[str, Any]) -> list[str]:
    """Answer the lines for a shell."""
    values = {
        "AWS_ENDPOINT_URL": ready["api_url"],
        "AWS_ACCESS_KEY_ID": ready["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": ready["secret_access_key"],
        "AWS_REGION": ready["region"],
        "AWS_DEFAULT_REGION": ready["region"],
        "AWS_DATA_PATH": data_path(os.environ),
        "HEDGEROW_CA_FILE": ready["ca_file"],
        "HEDGEROW_MQTT_PORT": str(ready["mqtt_port"]),
        "HEDGEROW_HTTPS_PORT": str(ready["https_port"]),
    }
    unset = ["AWS_PROFILE", "AWS_SESSION_TOKEN"]
    for name, member in (("HEDGEROW_CONSOLE_URL", "console_url"), ("HEDGEROW_ALPN_PORT", "alpn_port")):
        if ready.get(member) is not None:
            values[name] = str(ready[member])
        else:
            unset.append(name)
    if ready["api_url"].startswith("https:"):
        values["AWS_CA_BUNDLE"] = ready["ca_file"]
    else:
        unset.append("AWS_CA_BUNDLE")
    return [
        *(f"export {name}={shlex.quote(value)}" for name, value in values.items()),
        f"unset {' '.join(unset)}",
    ]


@app.command()
def status(data: Data, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Tell whether the cloud in a data folder runs, and where it listens. Exit status 1 when it does not run."""
    ready = read_ready(data)
    health = _health(ready)
    shown = {
        "running": health is not None,
        **{name: value for name, value in ready.items() if name != "secret_access_key"},
        **(health or {}),
    }
    if as_json:
        typer.echo(json.dumps(shown, indent=2))
    else:
        typer.echo(f"{'running' if shown['running'] else 'not running'}  {ready['api_url']}  mqtt {ready['mqtt_port']}")
    if not shown["running"]:
        raise typer.Exit(1)


def _health(ready: dict[str, Any]) -> dict[str, Any] | None:
    import ssl

    url = f"{ready['api_url']}/_health"
    trust = ssl.create_default_context(cafile=ready["ca_file"]) if url.startswith("https:") else None
    try:
        with urllib.request.urlopen(url, timeout=5, context=trust) as answer:  # noqa: S310  # our own URL
            content: dict[str, Any] = json.loads(answer.read())
            return content
    except (urllib.error.URLError, OSError, ValueError):
        return None
