"""`hedgerow device …`: make devices before delivery: key, certificate, CA, configuration, and a line to try it with.

A device is made as one unit (ProvisionDevice), which refuses a name that has a certificate, however many commands ask
for it at once. Cut short, the command goes on when it is given again: the key in the folder says which certificate is
its own.
"""

import json
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from hedgerow.base.device_policy import device_policy
from hedgerow.base.errors import Unavailable, Unusable
from hedgerow.base.files import RealFiles
from hedgerow.cli.asking import asked
from hedgerow.cli.device_files import CA, CERTIFICATE, KEY, DeviceFiles, Endpoints
from hedgerow.cli.device_list import Wanted, listed, named
from hedgerow.cli.pairs import pairs
from hedgerow.cli.refusals import in_one_line
from hedgerow.cli.target import Target, target, teach_boto3

app = typer.Typer(help="Devices made before delivery.", no_args_is_help=True)

POLICY: Final = "hedgerow-device"
AT_ONCE: Final = 8
_OFTEN: Final = 10  # faults that are listed one by one


@app.command()
def create(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="The things' names.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The cloud's data folder.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The folder of one device, or that of several devices' folders; default: here."),
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", help="Many devices: columns name, type, groups (a;b), attribute.KEY.")
    ] = None,
    thing_type: Annotated[str, typer.Option("--type", help="Their thing type.")] = "",
    groups: Annotated[list[str] | None, typer.Option("--group", help="A thing group that they join.")] = None,
    policy: Annotated[str, typer.Option("--policy", help="Their IoT policy; the default one is made.")] = POLICY,
    role_alias: Annotated[str, typer.Option("--role-alias", help="The role alias of their configuration.")] = "",
) -> None:
    """Make things with keys of their own, made here; given again, go on with what is missing."""
    if bool(names) == bool(table):
        raise Unusable("name the devices, or give --csv FILE; one of both")
    teach_boto3()
    wanted = listed(table, thing_type=thing_type, groups=groups or ()) if table else None
    wanted = wanted or named(names or [], thing_type=thing_type, groups=groups or ())
    alone = len(wanted) == 1 and table is None
    folders = {one.name: (out or Path(one.name)) if alone else (out or Path()) / one.name for one in wanted}
    cloud = target(data)
    maker = Maker(cloud, policy=policy, role_alias=role_alias)
    faults = maker.make(wanted, folders)
    if faults:
        rest = f"\nand {len(faults) - _OFTEN} more" if len(faults) > _OFTEN else ""
        raise Unusable(
            f"{len(faults)} of {len(wanted)} devices were not made; give the command again when this is mended:\n"
            + "\n".join(faults[:_OFTEN])
            + rest
        )
    _tell(wanted, folders, maker)


@app.command()
def provision(
    name: Annotated[str, typer.Argument(help="The thing's name.")],
    data: Annotated[Path | None, typer.Option("--data", help="The cloud's data folder.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where its files go; default: a folder called NAME.")
    ] = None,
    thing_type: Annotated[str, typer.Option("--type", help="Its thing type.")] = "",
    groups: Annotated[list[str] | None, typer.Option("--group", help="A thing group that it joins.")] = None,
    attributes: Annotated[list[str] | None, typer.Option("--attribute", metavar="KEY=VALUE")] = None,
    policy: Annotated[str, typer.Option("--policy", help="Its IoT policy; the default one is made.")] = POLICY,
    shadow: Annotated[str | None, typer.Option("--shadow", help="The desired state of its shadow, as JSON.")] = None,
    components: Annotated[
        list[str] | None, typer.Option("--component", metavar="NAME=VERSION", help="Part of its first deployment.")
    ] = None,
    role_alias: Annotated[str, typer.Option("--role-alias", help="The role alias of its configuration.")] = "",
) -> None:
    """Make a device with everything it needs in one call: all of it, or nothing. Given again, it goes on."""
    teach_boto3()
    named([name])
    cloud = target(data)
    maker = Maker(cloud, policy=policy, role_alias=role_alias)
    files = DeviceFiles(folder=out or Path(name), files=RealFiles())
    with files.held():
        if files.complete:
            raise Unusable(f"{files.folder} holds the device's certificate already")
        request = files.kept_request(name)
    wanted: dict[str, Any] = {
        "thingName": name,
        "policyName": policy,
        "certificateSigningRequest": request,
        "clientToken": sha256(request.encode()).hexdigest(),
        "thingTypeName": thing_type,
        "thingGroupNames": groups,
        "attributes": pairs("--attribute", attributes or ()),
        "components": {
            component: {"componentVersion": version}
            for component, version in pairs("--component", components or ()).items()
        },
    }
    given = {member: value for member, value in wanted.items() if value} | (
        {} if shadow is None else {"shadow": shadow}
    )
    made = asked(cloud, lambda hedgerow: hedgerow.provision_device(**given))
    files.write(name, made["certificatePem"], maker.endpoints)
    if "deploymentId" in made:
        typer.echo(f"its first deployment is {made['deploymentId']}")
    _tell([Wanted(name=name)], {name: files.folder}, maker)


def _ca(cloud: Target) -> bytes:
    if cloud.ca_file is None:
        raise Unusable("HEDGEROW_CA_FILE is not set: devices need the cloud's CA; or name the cloud with --data DIR")
    try:
        return Path(cloud.ca_file).read_bytes()
    except OSError as error:
        raise Unusable(f"cannot read {cloud.ca_file}, the cloud's CA: {error.strerror or error}") from error


class Maker:
    """Makes the devices of one command."""

    def __init__(self, cloud: Target, *, policy: str, role_alias: str) -> None:
        ca = _ca(cloud)
        self._iot, self._hedgerow = cloud.client("iot"), cloud.client("hedgerow")
        self._policy = policy
        self.before: list[str] = []  # who was made by an earlier command
        with in_one_line():
            if policy == POLICY:
                self._make_policy(cloud)
            host = self._iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
        self.endpoints = Endpoints(
            host=host,
            region=cloud.region,
            mqtt_port=cloud.mqtt_port or 8883,
            https_port=cloud.https_port or 8443,
            ca=ca,
            role_alias=role_alias,
        )

    def make(self, wanted: Sequence[Wanted], folders: dict[str, Path]) -> list[str]:
        """Make them; answer what went wrong, a line for each device that was not made."""
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        shown = len(wanted) > 1 and console.is_terminal
        with Progress(console=console, disable=not shown) as progress, ThreadPoolExecutor(AT_ONCE) as pool:
            tries = pool.map(lambda one: self._fault(one, folders[one.name]), wanted)
            return [fault for fault in progress.track(tries, total=len(wanted), description="devices") if fault]

    def _fault(self, wanted: Wanted, folder: Path) -> str | None:
        from botocore.exceptions import BotoCoreError, ClientError

        files = DeviceFiles(folder=folder, files=RealFiles())
        try:
            with files.held():
                self._make(wanted, files)
        except (Unusable, Unavailable, ClientError, BotoCoreError) as error:
            return f"{wanted.name}: {error}"
        return None

    def _make(self, wanted: Wanted, files: DeviceFiles) -> None:
        certificate = self._registered(wanted, files)
        if files.complete:
            self.before.append(wanted.name)
            return
        if certificate is None:
            members = {
                "thingName": wanted.name,
                "policyName": self._policy,
                "certificateSigningRequest": files.signing_request(wanted.name),
                "thingTypeName": wanted.type,
                "thingGroupNames": list(wanted.groups),
                "attributes": dict(wanted.attributes),
            }
            answer = self._hedgerow.provision_device(**{name: value for name, value in members.items() if value})
            certificate = answer["certificatePem"]
        files.write(wanted.name, certificate, self.endpoints)

    def _registered(self, wanted: Wanted, files: DeviceFiles) -> str | None:
        """Answer the certificate that an earlier try made, None when the thing has none.

        Raise Unusable when the thing has another, or the folder has that of another thing.
        """
        ids = self._certificates(wanted.name)
        for each in ids if files.begun else ():
            pem: str = self._iot.describe_certificate(certificateId=each)["certificateDescription"]["certificatePem"]
            if files.fits(pem):
                return pem
        if files.complete:
            raise Unusable(
                f"{files.folder} holds a certificate that is not one of {wanted.name}'s; take another folder"
            )
        if ids:
            raise Unusable(
                f"it has the certificate {ids[0]} already, whose key is not in {files.folder}; detach it first"
            )
        return None

    def _certificates(self, thing: str) -> list[str]:
        try:
            pages = self._iot.get_paginator("list_thing_principals").paginate(thingName=thing)
            return [principal.rpartition("/")[2] for page in pages for principal in page["principals"]]
        except self._iot.exceptions.ResourceNotFoundException:
            return []

    def _make_policy(self, cloud: Target) -> None:
        """Make the default policy; who may not make it may use it, and is told when it is not there."""
        from botocore.exceptions import ClientError

        account = cloud.client("sts").get_caller_identity()["Account"]
        document = json.dumps(device_policy(cloud.region, account))
        try:
            self._iot.create_policy(policyName=POLICY, policyDocument=document)
        except self._iot.exceptions.ResourceAlreadyExistsException:
            return
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDeniedException":
                raise


def _tell(wanted: Sequence[Wanted], folders: dict[str, Path], maker: Maker) -> None:
    before = len(maker.before)
    if len(wanted) > 1:
        typer.echo(
            f"{len(wanted)} devices are ready; keys (mode 600), certificates and config.yaml are in their folders"
        )
        if before:
            typer.echo(f"{before} of them were made before, and are left as they were.")
        return
    name, at = wanted[0].name, maker.endpoints
    folder = folders[name]
    how = "was made before, and is left as it was" if before else "is ready"
    typer.echo(f"{name} {how}; its key (mode 600), certificate, CA and config.yaml are in {folder}/")
    typer.echo("")
    ca, certificate, key = (shlex.quote(str(folder / file)) for file in (CA, CERTIFICATE, KEY))
    typer.echo(
        f"mosquitto_pub -h {at.host} -p {at.mqtt_port} --cafile {ca} --cert {certificate} "
        f'--key {key} -i {name} -q 1 -t devices/{name}/hello -m \'{{"hello": "world"}}\''
    )
