"""`hedgerow edge …`: set up and run the runtime of a device."""

from enum import StrEnum
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


class Flag(StrEnum):
    """How the nucleus' installer says yes and no."""

    TRUE = "true"
    FALSE = "false"


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


@app.command()
def install(
    root: Annotated[Path, typer.Option("--root", "-r", help="The edge's folder.")],
    init_config: Annotated[Path | None, typer.Option("--init-config", "-init", "-i")] = None,
    claim: Annotated[
        Path | None, typer.Option("--claim", help="Instead of --init-config: the file or QR code's text of a claim.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", help="With --claim: NAME=VALUE for the template.")
    ] = None,
    default_user: Annotated[
        str, typer.Option("--component-default-user", "-u", help="USER or USER:GROUP that components run as.")
    ] = "",
    region: Annotated[str, typer.Option("--aws-region", "-ar", help="The cloud's region.")] = "",
    service: Annotated[
        Flag, typer.Option("--setup-system-service", "-ss", help="Make a service of systemd.")
    ] = Flag.FALSE,
    start: Annotated[Flag, typer.Option("--start", "-s", help="Start the service now.")] = Flag.TRUE,
    plugins: Annotated[list[Path] | None, typer.Option("--trusted-plugin", "-tp")] = None,
    provision: Annotated[
        Flag, typer.Option("--provision", "-p", help="Only false; see `hedgerow device`.")
    ] = Flag.FALSE,
    dev_tools: Annotated[Flag, typer.Option("--deploy-dev-tools", "-d", help="Only false.")] = Flag.FALSE,
    units: Annotated[Path | None, typer.Option("--unit-folder", help="For images: where units are.")] = None,
) -> None:
    """Check the configuration, put it in its place, and make a system service, with the nucleus installer's options."""
    from hedgerow.base.files import RealFiles
    from hedgerow.edge.install import UNITS, Wish
    from hedgerow.edge.install import install as install_edge

    try:
        if provision is Flag.TRUE:
            raise Unusable(
                "--provision true is not there: enrol by claim, or make the device with `hedgerow device create`"
            )
        if dev_tools is Flag.TRUE:
            raise Unusable("--deploy-dev-tools true is not there: this edge has no local development tools")
        wish = Wish(
            root=root,
            init_config=init_config if claim is None else _brought(claim, root, init_config, parameter or []),
            default_user=default_user,
            region=region,
            service=service is Flag.TRUE,
            start=start is Flag.TRUE,
            plugins=tuple(plugins or ()),
            units=units or UNITS,
        )
        install_edge(wish, files=RealFiles(), say=typer.echo)
    except Unusable as error:
        typer.echo(f"edge: {error}", err=True)
        raise typer.Exit(2) from error
    if service is Flag.FALSE:
        typer.echo(f"run it: hedgerow edge run --root {root}")


def _brought(claim: Path, root: Path, init_config: Path | None, given: list[str]) -> Path:
    """Unpack a claim that the console made; answer the configuration that enrols with it."""
    from hedgerow.base.files import RealFiles
    from hedgerow.edge.handed import read_claim

    if init_config is not None:
        raise Unusable("give --claim or --init-config, not both")
    parameters = dict(text.partition("=")[::2] for text in given)
    if any("=" not in text or text.startswith("=") for text in given):
        raise Unusable("--parameter must be NAME=VALUE")
    handed = read_claim(claim)
    typer.echo(f"the claim is for {handed.template} and good until {handed.expires_at:%Y-%m-%d %H:%M:%S} UTC")
    return handed.put(root.absolute(), parameters, files=RealFiles())
