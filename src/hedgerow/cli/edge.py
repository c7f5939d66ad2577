"""`hedgerow edge …`: run the runtime of a device."""

from pathlib import Path
from typing import Annotated

import typer

from hedgerow.base.errors import Unusable

app = typer.Typer(help="The runtime on a device.", no_args_is_help=True)

Root = Annotated[Path, typer.Option("--root", help="The edge's folder.")]
InitConfig = Annotated[
    Path | None,
    typer.Option("--init-config", help="A config.yaml of the Greengrass nucleus' form; needed at the first start."),
]


@app.command()
def run(root: Root, init_config: InitConfig = None) -> None:
    """Run an edge in the foreground; SIGTERM ends it cleanly."""
    from hedgerow.edge.main import run as run_edge
    from hedgerow.edge.settings import EdgeSettings

    try:
        run_edge(EdgeSettings(root=root, init_config=init_config))
    except Unusable as error:
        typer.echo(f"edge: {error}", err=True)
        raise typer.Exit(2) from error


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def install(root: Root, init_config: InitConfig = None) -> None:
    """Set an edge up as a system service. Not there yet: refused with what to use instead."""
    config = f" --init-config {init_config}" if init_config else ""
    typer.echo(
        f"edge: install is not there yet; run `hedgerow edge run --root {root}{config}` from a service of your own",
        err=True,
    )
    raise typer.Exit(2)
