"""`hedgerow device …`: make a device by hand: key, certificate, policy, and a line to try it with."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from hedgerow.base.errors import Unusable
from hedgerow.cli.target import Target, target

app = typer.Typer(help="Devices made by hand.", no_args_is_help=True)

POLICY = "hedgerow-device"


def device_policy(region: str, account: str) -> dict[str, Any]:
    """Answer a policy that lets a thing connect as itself and use its own topics only."""
    own = f"arn:aws:iot:{region}:{account}:"
    name = "${iot:Connection.Thing.ThingName}"
    topics = [f"devices/{name}/*", f"$aws/things/{name}/*", f"$aws/commands/things/{name}/*"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": f"{own}client/{name}"},
            {
                "Effect": "Allow",
                "Action": ["iot:Publish", "iot:Receive", "iot:RetainPublish"],
                "Resource": [f"{own}topic/{topic}" for topic in topics],
            },
            {
                "Effect": "Allow",
                "Action": "iot:Subscribe",
                "Resource": [f"{own}topicfilter/{topic}" for topic in topics],
            },
        ],
    }


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="The thing's name.")],
    data: Annotated[Path | None, typer.Option("--data", help="The cloud's data folder.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the files go; default: a folder called NAME.")
    ] = None,
) -> None:
    """Make a thing with a key of its own, made here; print a mosquitto_pub line that works."""
    if not re.fullmatch(r"[a-zA-Z0-9:_-]{1,128}", name):
        raise Unusable(f"a thing's name has 1 to 128 letters, digits, : _ and -; {name!r} has not")
    folder = out or Path(name)
    if (folder / "device.key").exists():
        raise Unusable(f"{folder / 'device.key'} is there already; choose another folder with --out")
    cloud = target(data)
    certificate, endpoint = _enrol(cloud, name, folder)
    (folder / "device.pem").write_text(certificate)
    ca = Path(cloud.ca_file or "").read_bytes()
    (folder / "ca.pem").write_bytes(ca)
    typer.echo(f"{name} is ready; its key (mode 600), certificate and CA are in {folder}/")
    typer.echo("")
    typer.echo(
        f"mosquitto_pub -h {endpoint} -p {cloud.mqtt_port} --cafile {folder}/ca.pem --cert {folder}/device.pem "
        f'--key {folder}/device.key -i {name} -q 1 -t devices/{name}/hello -m \'{{"hello": "world"}}\''
    )


def _enrol(cloud: Target, name: str, folder: Path) -> tuple[str, str]:
    """Register the thing; answer its certificate (PEM) and the host that it connects to."""
    from botocore.exceptions import BotoCoreError, ClientError

    iot, sts = cloud.client("iot"), cloud.client("sts")
    try:
        account = sts.get_caller_identity()["Account"]
        _make_policy(iot, cloud.region, account)
        iot.create_thing(thingName=name)
        request = _new_key(name, folder)
        made = iot.create_certificate_from_csr(certificateSigningRequest=request, setAsActive=True)
        iot.attach_policy(policyName=POLICY, target=made["certificateArn"])
        iot.attach_thing_principal(thingName=name, principal=made["certificateArn"])
        endpoint = iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    except (ClientError, BotoCoreError) as error:
        raise Unusable(f"the cloud refused: {error}") from error
    return made["certificatePem"], endpoint


def _make_policy(iot: Any, region: str, account: str) -> None:
    document = json.dumps(device_policy(region, account))
    try:
        iot.create_policy(policyName=POLICY, policyDocument=document)
    except iot.exceptions.ResourceAlreadyExistsException:
        return


def _new_key(name: str, folder: Path) -> str:
    """Make the key and write it with mode 600; answer the signing request."""
    import os

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "device.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()
