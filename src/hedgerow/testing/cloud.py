"""The cloud process behind the fixture, an account in it, and devices made by hand."""

import base64
import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import boto3

from hedgerow.base.device_policy import device_policy

READY_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 30.0
_POLL_S: Final = 0.02
DEVICE_POLICY: Final = "test-device"


class CloudSession(boto3.Session):
    """A boto3 session whose clients reach this cloud, the service `hedgerow` included."""

    def __init__(self, *, endpoint_url: str, ca_file: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._endpoint_url = endpoint_url
        self._verify: str | None = ca_file if endpoint_url.startswith("https:") else None
        models = str(files("hedgerow") / "core" / "wire" / "models")
        self._session.get_component("data_loader").search_paths.append(models)

    def client(self, *arguments: Any, **named: Any) -> Any:
        """Answer a client; `endpoint_url` and `verify` are this cloud's unless given."""
        named.setdefault("endpoint_url", self._endpoint_url)
        named.setdefault("verify", self._verify)
        return super().client(*arguments, **named)


@dataclass(slots=True)
class CloudProcess:
    """One `hedgerow cloud up` on free ports. `ready` is its ready file."""

    folder: Path
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: dict[str, Any] = field(default_factory=dict)
    module: str = "hedgerow"  # what runs the command; measurements have their own
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """Where the cloud's log goes."""
        return self.folder / "cloud.log"

    def start(self) -> None:
        """Start it and wait until it is ready; raises RuntimeError with its last words when it is not."""
        ready_file = self.folder / "ready.json"
        ready_file.unlink(missing_ok=True)
        ports = [f"--{name}-port=0" for name in ("api", "mqtt", "https", "console")]
        command = [sys.executable, "-m", self.module, "cloud", "up", f"--data={self.data}", *ports]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  # our own command
                [*command, f"--ready-file={ready_file}", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while not ready_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                words = self.log.read_text("utf-8", "replace")[-4000:]
                raise RuntimeError(f"the cloud did not become ready; its last words:\n{words}")
            time.sleep(_POLL_S)
        self.ready = json.loads(ready_file.read_text("utf-8"))

    def stop(self) -> int:
        """End it cleanly and answer its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(signal.SIGKILL)

    def session(
        self,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        session_token: str | None = None,
    ) -> CloudSession:
        """Answer a boto3 session with this access key (and token); default: the first account's."""
        return CloudSession(
            endpoint_url=self.ready["api_url"],
            ca_file=self.ready["ca_file"],
            region_name=self.ready["region"],
            aws_access_key_id=access_key_id or self.ready["access_key_id"],
            aws_secret_access_key=secret_access_key or self.ready["secret_access_key"],
            aws_session_token=session_token,
        )

    def new_account(self, folder: Path) -> "TestCloud":
        """Make an account of its own and answer the cloud as seen from it; devices' files go to `folder`."""
        made = self.session().client("hedgerow").create_account()
        session = self.session(made["accessKeyId"], made["secretAccessKey"])
        return TestCloud(process=self, account=made["accountId"], session=session, folder=folder)

    def _end(self, number: signal.Signals) -> int:
        process = self.process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait(STOP_WITHIN_S)

    def _environment(self) -> dict[str, str]:
        if not self.environment:
            self.environment = {"HEDGEROW_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode()}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HEDGEROW_"))}
        return {**kept, **self.environment}


def start_cloud(folder: Path, *arguments: str, **environment: str) -> CloudProcess:
    """Start a cloud of one's own: further arguments of `hedgerow cloud up`, and environment variables."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    cloud = CloudProcess(folder, arguments, {"HEDGEROW_MASTER_KEY": key, **environment})
    cloud.start()
    return cloud


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A thing with a certificate of its own and the files to connect with."""

    name: str
    host: str
    mqtt_port: int
    https_port: int
    key_file: Path
    certificate_file: Path
    ca_file: Path
    certificate_arn: str
    alpn_port: int | None = None  # both protocols, by ALPN

    def tls(self) -> ssl.SSLContext:
        """Answer a TLS context that shows the device's certificate and trusts the cloud alone."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        context.load_cert_chain(self.certificate_file, self.key_file)
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCloud:
    """A cloud as one account sees it."""

    __test__ = False  # pytest must not take it for a test case

    process: CloudProcess
    account: str
    session: CloudSession
    folder: Path

    @property
    def region(self) -> str:
        """The cloud's region."""
        return str(self.process.ready["region"])

    @property
    def host(self) -> str:
        """The host that devices connect to."""
        return str(self.client("iot").describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"])

    def client(self, service: str, **arguments: Any) -> Any:
        """Answer a boto3 client of this account."""
        return self.session.client(service, **arguments)

    def device(self, name: str, policy: Mapping[str, Any] | None = None) -> Device:
        """Make a thing with a key, an active certificate and a policy.

        The default policy lets it connect under its own name and use `devices/<name>/…`, its own `$aws/things/…` and
        its own `$aws/commands/things/…`.
        """
        iot = self.client("iot")
        iot.create_thing(thingName=name)
        made = iot.create_keys_and_certificate(setAsActive=True)
        policy_name = DEVICE_POLICY if policy is None else f"{DEVICE_POLICY}-{name}"
        document = json.dumps(device_policy(self.region, self.account) if policy is None else policy)
        try:
            iot.create_policy(policyName=policy_name, policyDocument=document)
        except iot.exceptions.ResourceAlreadyExistsException:
            iot.get_policy(policyName=policy_name)
        iot.attach_policy(policyName=policy_name, target=made["certificateArn"])
        iot.attach_thing_principal(thingName=name, principal=made["certificateArn"])
        return self._written(name, made)

    def _written(self, name: str, made: Mapping[str, Any]) -> Device:
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        key, certificate = folder / "device.key", folder / "device.pem"
        key.touch(mode=0o600)
        key.write_text(made["keyPair"]["PrivateKey"])
        certificate.write_text(made["certificatePem"])
        ready = self.process.ready
        return Device(
            name=name,
            host=self.host,
            mqtt_port=ready["mqtt_port"],
            https_port=ready["https_port"],
            alpn_port=ready["alpn_port"],
            key_file=key,
            certificate_file=certificate,
            ca_file=Path(ready["ca_file"]),
            certificate_arn=made["certificateArn"],
        )
