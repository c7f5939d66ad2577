"""`hedgerow edge …`: set up and run the runtime of a device."""

import shlex
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hedgerow.base.errors import Unavailable, Unusable
from hedgerow.cli.pairs import pairs

if TYPE_CHECKING:
    from hedgerow.edge.install import Wish

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
    except Unavailable as error:  # the service begins again
        typer.echo(f"edge: {error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def install(
    root: Annotated[Path, typer.Option("--root", "-r", help="The edge's folder.")],
    init_config: Annotated[
        Path | None, typer.Option("--init-config", "-init", "-i", help="A config.yaml of the nucleus' form.")
    ] = None,
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
        Flag, typer.Option("--setup-system-service", "-ss", case_sensitive=False, help="Make a service of systemd.")
    ] = Flag.FALSE,
    start: Annotated[
        Flag, typer.Option("--start", "-s", case_sensitive=False, help="Start the service now.")
    ] = Flag.TRUE,
    plugins: Annotated[list[Path] | None, typer.Option("--trusted-plugin", "-tp", help="Taken, not needed.")] = None,
    provision: Annotated[
        Flag,
        typer.Option(
            "--provision",
            "-p",
            case_sensitive=False,
            help="Make thing, certificate, policies, role and alias with AWS rights.",
        ),
    ] = Flag.FALSE,
    thing: Annotated[str, typer.Option("--thing-name", "-tn", help="Default: a new name.")] = "",
    group: Annotated[str, typer.Option("--thing-group-name", "-tgn", help="A thing group that it joins.")] = "",
    policy: Annotated[str, typer.Option("--thing-policy-name", "-tpn", help="Its IoT policy.")] = "",
    role: Annotated[str, typer.Option("--tes-role-name", "-trn", help="The token exchange role.")] = "",
    alias: Annotated[str, typer.Option("--tes-role-alias-name", "-tra", help="The role's alias.")] = "",
    data: Annotated[Path | None, typer.Option("--data", help="Provision in the cloud of this data folder.")] = None,
    dev_tools: Annotated[
        Flag, typer.Option("--deploy-dev-tools", "-d", case_sensitive=False, help="Only false.")
    ] = Flag.FALSE,
    units: Annotated[Path | None, typer.Option("--unit-folder", help="For images: where units are.")] = None,
) -> None:
    """Check the configuration, put it in its place, and make a system service, with the nucleus installer's options."""
    from hedgerow.base.files import RealFiles
    from hedgerow.edge.install import UNITS, Wish
    from hedgerow.edge.install import install as install_edge

    try:
        if dev_tools is Flag.TRUE:
            raise Unusable("--deploy-dev-tools true is not there: this edge has no local development tools")
        names = {"thing": thing, "group": group, "policy": policy, "role": role, "alias": alias, "data": data}
        if provision is Flag.FALSE and any(names.values()):
            raise Unusable("names of things, groups, policies and roles, and --data, are for --provision true")
        if provision is Flag.TRUE and claim is not None:
            raise Unusable("give --claim or --provision true, not both")
        wish = Wish(
            root=root,
            init_config=init_config,
            default_user=default_user,
            region=region,
            service=service is Flag.TRUE,
            start=start is Flag.TRUE,
            plugins=tuple(plugins or ()),
            units=units or UNITS,
        )
        if provision is Flag.TRUE:
            _provision(wish, names)
        elif claim is not None:
            _brought(wish, claim, parameter or [])
        else:
            install_edge(wish, files=RealFiles(), say=typer.echo)
    except (Unusable, Unavailable) as error:
        typer.echo(f"edge: {error}", err=True)
        raise typer.Exit(2) from error
    if service is Flag.FALSE:
        typer.echo(f"run it: hedgerow edge run --root {shlex.quote(str(root))}")


def _brought(wish: "Wish", claim: Path, given: list[str]) -> None:
    """Set the device up with a claim that the console made."""
    from hedgerow.base.clock import SystemClock
    from hedgerow.base.files import RealFiles
    from hedgerow.edge.handed import read_claim
    from hedgerow.edge.install import carry_out, planned

    if wish.init_config is not None:
        raise Unusable("give --claim or --init-config, not both")
    parameters = pairs("--parameter", given)
    handed, root = read_claim(claim), wish.root.absolute()
    over = handed.expires_at.timestamp() <= SystemClock().now()
    typer.echo(
        f"the claim is for {handed.template} and good until {handed.expires_at:%Y-%m-%d %H:%M:%S} UTC"
        f"{', which is over by the clock of this machine' if over else ''}"
    )
    text, made = handed.configuration(parameters), frozenset(handed.files(root))
    plan = planned(replace(wish, text=text, made=made))
    handed.put(root, files=RealFiles())
    carry_out(plan, files=RealFiles(), say=typer.echo)


def _provision(wish: "Wish", names: dict[str, Any]) -> None:
    from hedgerow.base.files import RealFiles

    try:
        from hedgerow.cli.edge_provisioning import Options, provision
    except ImportError as error:
        raise Unusable(f"--provision true needs what hedgerow[cli] brings: {error}") from error
    provision(
        wish, Options(**{name: value for name, value in names.items() if value}), files=RealFiles(), say=typer.echo
    )
