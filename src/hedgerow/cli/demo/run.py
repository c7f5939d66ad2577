"""Runs the demo: its steps one after another, what each took, a table at the end, and the end of every process."""

import tempfile
import time
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hedgerow.base.errors import Unusable
from hedgerow.cli.demo.errors import StepFailed
from hedgerow.cli.demo.interruption import Interrupted, Interruption
from hedgerow.cli.demo.package import check_checkout
from hedgerow.cli.demo.processes import available_mb
from hedgerow.cli.demo.steps import STEPS, new_console_link
from hedgerow.cli.demo.world import World, new_world, teach_boto3

CLOUD_MB: Final = 350  # cloud, console, radios, the demo itself
DEVICE_MB: Final = 110  # an edge and its function


def run(*, devices: int, exit_when_done: bool) -> int:
    """Run the demo and answer its exit status; raise Unusable when it cannot begin."""
    check_checkout()
    screen = Console()
    _check_memory(screen, devices)
    teach_boto3()
    interruption = Interruption()
    interruption.listen()
    with tempfile.TemporaryDirectory(prefix="hedgerow-demo-", ignore_cleanup_errors=True) as folder:
        world = new_world(Path(folder), devices, interruption)
        try:
            return _run(screen, world, exit_when_done)
        except Interrupted:
            screen.print("stopping")
            return 130
        finally:
            world.close()


def _run(screen: Console, world: World, exit_when_done: bool) -> int:
    for number, (title, step) in enumerate(STEPS, 1):
        world.interruption.check()
        begun = time.monotonic()
        try:
            with screen.status(f"{number}. {title} …"):
                said = step(world)
        except (StepFailed, Unusable, ClientError, BotoCoreError, OSError, ValueError, KeyError) as error:
            screen.print(f"[bold red]✗[/] {number}. {title}: {escape(str(error) or repr(error))}")
            _show_logs(screen, world)
            return 1
        took = time.monotonic() - begun
        screen.print(f"[bold green]✓[/] {number}. {title} [dim]({took:.1f} s)[/]: {escape(said)}", soft_wrap=True)
    _show_table(screen, world)
    if exit_when_done:
        return 0
    screen.print(f"\nThe console: {new_console_link(world)}", soft_wrap=True)
    screen.print(f'The AWS tools: eval "$(hedgerow cloud env --data {world.data})"', soft_wrap=True)
    screen.print("Everything stays up until Ctrl-C.")
    world.interruption.wait()
    raise Interrupted


def _check_memory(screen: Console, devices: int) -> None:
    needed = CLOUD_MB + devices * DEVICE_MB
    screen.print(f"{devices} devices: about {needed} MB of memory")
    available = available_mb()
    if available is not None and available < needed:
        raise Unusable(
            f"this machine has {available:.0f} MB left, {devices} devices need {needed}; use fewer --devices"
        )


def _show_table(screen: Console, world: World) -> None:
    table = Table(title="Measured on this machine")
    table.add_column("what")
    table.add_column("value", justify="right")
    for what, seconds in world.measured.items():
        table.add_row(what, f"{seconds:.2f}")
    table.add_row("memory of the cloud with its console (MB, PSS)", f"{world.processes.memory_mb('cloud'):.0f}")
    edges = [world.processes.memory_mb(site) for site in world.sites]
    table.add_row("memory of an edge with its function (MB, PSS, largest)", f"{max(edges):.0f}")
    screen.print(table)


def _show_logs(screen: Console, world: World) -> None:
    for log in sorted((world.folder / "logs").glob("*.log")):
        lines = log.read_text("utf-8", "replace").splitlines()[-8:]
        screen.print(f"[dim]{log.stem}[/]")
        for line in lines:
            screen.print(f"  {escape(line)}", soft_wrap=True, highlight=False)
