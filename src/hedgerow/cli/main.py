"""The command `hedgerow`. Groups are imported with what they need only when they run."""

import sys
from importlib import import_module
from typing import Final

import typer

from hedgerow import __version__
from hedgerow.base.errors import Unavailable, Unusable
from hedgerow.cli import account, claim, cloud, console, device, edge, explain, job, mqtt, onboarding, shadow, vending

app = typer.Typer(
    help="Hedgerow: an IoT cloud of your own, and the runtime on your devices.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(cloud.app, name="cloud")
app.add_typer(account.app, name="account")
app.add_typer(device.app, name="device")
app.add_typer(mqtt.app, name="mqtt")
app.add_typer(shadow.app, name="shadow")
app.add_typer(job.app, name="job")
app.add_typer(edge.app, name="edge")
app.add_typer(claim.app, name="claim")
app.add_typer(onboarding.app, name="onboarding")
app.add_typer(vending.app, name="vending")
app.command()(console.console)
app.command()(explain.explain)

#: which extra brings a module that a command missed
EXTRAS: Final = {
    "boto3": "cli",
    "botocore": "cli",
    "rich": "cli",
    "paho": "cli",
    "sqlalchemy": "cloud",
    "starlette": "cloud",
    "uvicorn": "cloud",
    "alembic": "cloud",
    "nicegui": "cloud",
    "pysnmp": "demo",
}


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def demo(
    devices: int = typer.Option(3, min=1, help="How many devices."),
    exit_when_done: bool = typer.Option(False, "--exit-when-done", help="End after the last step."),
) -> None:
    """Show the main job, end to end, on this machine."""
    raise typer.Exit(import_module("hedgerow.cli.demo.run").run(devices=devices, exit_when_done=exit_when_done))


def run() -> None:
    """Run the command; what the operator can mend is one line on standard error and exit status 2."""
    try:
        app()
    except (Unusable, Unavailable) as error:
        sys.stderr.write(f"hedgerow: {error}\n")
        sys.exit(2)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").split(".", 1)[0])
        if extra is None:
            raise
        sys.stderr.write(
            f"hedgerow: this command needs more: pip install 'hedgerow[{extra}]' ({error.name} is missing)\n"
        )
        sys.exit(2)
