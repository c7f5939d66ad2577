"""`hedgerow edge install --provision true`: the device's thing, certificate and everything around, and its files.

Each step is on the medium before the next: a name; the key; the question; the certificate; its record; what it is
attached to; the configuration. Cut short or refused, the command goes on when it is given again, with the same name,
key and certificate; one whose answer was lost is looked for before another is asked for. The key is made here when the
caller may have requests signed, else by the cloud, as the nucleus' installer has it. Leaves to others: what is made in
the cloud (`edge_resources.py`), the configuration and the service (`edge/install.py`).
"""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from hedgerow.base.errors import Unusable
from hedgerow.base.files import Files
from hedgerow.base.ids import RandomIds
from hedgerow.cli.edge_resources import Resources, Say, Wanted
from hedgerow.cli.target import target
from hedgerow.edge.configuration import NUCLEUS
from hedgerow.edge.identity import fits, key_at, request_for
from hedgerow.edge.install import Wish, carry_out, planned, stated
from hedgerow.edge.pkcs11.uri import SCHEME
from hedgerow.edge.places import path_below
from hedgerow.edge.ready_made import THING_NAME

CERTIFICATE: Final = "thingCert.crt"
KEY: Final = "privKey.key"
ROOT_CA: Final = "rootCA.pem"
RECORD: Final = "provisioning.json"
_UNKNOWN: Final = "unknown.invalid"  # until it may be asked for: nothing is written before
_NUCLEUS: Final = ("services", NUCLEUS, "configuration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says of it; an empty name is the installer's default, or what an earlier try chose."""

    thing: str = ""
    group: str = ""
    policy: str = ""
    role: str = ""
    alias: str = ""
    data: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """How it is reached. `ours` tells that it is a Hedgerow."""

    region: str
    iot: Any
    iam: Any
    sts: Any
    ca_file: str | None
    mqtt_port: int | None = None
    https_port: int | None = None
    ours: bool = True


def provision(wish: Wish, options: Options, *, files: Files, say: Say) -> None:
    """Do all of it; raise Unusable with what is wrong or missing. May be done again. Blocks."""
    try:
        region = wish.region or _said(stated(_begun(wish)), *_NUCLEUS, "awsRegion")
        _Provisioning(wish, options, reached(options.data, region), files=files, say=say).run()
    except ClientError as error:
        raise Unusable(f"the cloud refused: {error.response['Error'].get('Message') or error}") from error
    except BotoCoreError as error:
        raise Unusable(f"the cloud does not answer: {error}; give the command again") from error


def reached(data: Path | None, region: str) -> Cloud:
    """Answer the cloud of a data folder when one is given, else that of the user's own AWS settings."""
    if data is not None:
        known = target(data)
        clients = {name: known.client(name) for name in ("iot", "iam", "sts")}
        return Cloud(
            region=known.region,
            ca_file=known.ca_file,
            mqtt_port=known.mqtt_port,
            https_port=known.https_port,
            **clients,
        )
    import boto3

    session = boto3.Session(region_name=region or os.environ.get("AWS_REGION"))
    if session.region_name is None:
        raise Unusable("--provision true needs --aws-region, or AWS_REGION")
    if session.get_credentials() is None:
        raise Unusable("--provision true needs AWS credentials, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    ca_file = os.environ.get("HEDGEROW_CA_FILE")
    own = os.environ.get("AWS_ENDPOINT_URL", "").startswith("https:")
    make: Any = session.client
    clients = {name: make(name, verify=ca_file if own else None) for name in ("iot", "iam", "sts")}
    return Cloud(
        region=session.region_name,
        ca_file=ca_file,
        mqtt_port=_port("HEDGEROW_MQTT_PORT"),
        https_port=_port("HEDGEROW_HTTPS_PORT"),
        ours=".amazonaws." not in clients["iot"].meta.endpoint_url,
        **clients,
    )


def _begun(wish: Wish) -> Wish:
    """Answer the wish when no configuration need be there."""
    return replace(wish, made=frozenset({wish.root.absolute() / KEY}))


def _said(config: dict[str, Any], *path: str) -> str:
    """Answer what the configuration says there, "" for nothing; keys are found whatever their case."""
    found: Any = config
    for name in path:
        inner = found if isinstance(found, dict) else {}
        found = next((value for key, value in inner.items() if str(key).lower() == name.lower()), None)
    return "" if found is None or isinstance(found, dict | list) else str(found)


def _port(name: str) -> int | None:
    text = os.environ.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else None


class _Provisioning:
    """One device's."""

    def __init__(self, wish: Wish, options: Options, cloud: Cloud, *, files: Files, say: Say) -> None:
        self._wish = wish
        self._options = options
        self._cloud = cloud
        self._files = files
        self._say = say
        self._root = wish.root.absolute()
        self._certificate, self._key = self._root / CERTIFICATE, self._root / KEY
        self._path = self._root / "config" / RECORD
        self._record: dict[str, Any] = _read(self._path)

    def run(self) -> None:
        config = stated(_begun(self._wish))
        _not_in_a_token(config)
        region = self._wish.region or _said(config, *_NUCLEUS, "awsRegion")
        if region not in ("", self._cloud.region):
            raise Unusable(f"the cloud is in the region {self._cloud.region}, not {region}")
        self._check_files(config)
        wanted = self._wanted(config)
        resources = self._resources()
        data = _said(config, *_NUCLEUS, "iotDataEndpoint") or resources.endpoint("iot:Data-ATS")
        credentials = _said(config, *_NUCLEUS, "iotCredEndpoint") or resources.endpoint("iot:CredentialProvider")
        ca, root_ca = self._root_ca(config)
        values = self._values(wanted, data=data, credentials=credentials, root_ca=root_ca)
        made = frozenset({self._certificate, self._key, root_ca} if ca else {self._certificate, self._key})
        plan = planned(replace(self._wish, region=self._cloud.region, values=values, made=made))
        if self._certificate.exists() and "asked" not in self._record:
            raise Unusable(f"{self._root} holds a certificate already, {CERTIFICATE}; move it away, or use it as it is")
        plan.layout.create()
        self._keep(thingName=wanted.thing)
        resources.make(wanted, ours=self._cloud.ours)
        arn = self._record.get("certificateArn") or self._certified(resources)
        self._say(f"certificate {arn.rpartition('/')[2]}: {self._certificate}")
        resources.attach(wanted, arn)
        if ca:
            self._files.write_durably(root_ca, ca, mode=0o644)
        carry_out(plan, files=self._files, say=self._say)
        self._say(f"{wanted.thing} is provisioned")

    def _check_files(self, config: dict[str, Any]) -> None:
        """Raise Unusable when key and certificate are to be elsewhere than where they are put."""
        if "asked" in self._record:  # the configuration is the one of an earlier try
            return
        for name, own in (("certificateFilePath", self._certificate), ("privateKeyPath", self._key)):
            said = _said(config, "system", name)
            if said and self._root / said != own:
                raise Unusable(f"system.{name} is {own} with --provision true; leave it out of the configuration")

    def _wanted(self, config: dict[str, Any]) -> Wanted:
        options, known = self._options, self._record.get("thingName", "")
        if known and options.thing not in ("", known):
            raise Unusable(f"{self._root} was begun for the thing {known}, not {options.thing}; use another folder")
        fresh = f"GreengrassV2IotThing_{RandomIds().uuid()}"
        thing = known or options.thing or _said(config, "system", "thingName") or fresh
        if not THING_NAME.fullmatch(thing):
            raise Unusable(f"{thing!r} is no name of a thing: 1 to 128 letters, digits, : _ and -")
        names = {
            "thing": thing,
            "group": options.group,
            "policy": options.policy,
            "role": options.role,
            "alias": options.alias or _said(config, *_NUCLEUS, "iotRoleAlias"),
        }
        return Wanted(**{name: value for name, value in names.items() if value})

    def _root_ca(self, config: dict[str, Any]) -> tuple[bytes, Path]:
        """Answer the CA that is to be written (b"" for one that is there) and its file."""
        system = config.get("system") or {}
        named = system.get("rootCaPath") if isinstance(system, dict) else None
        if named and path_below(self._root, str(named)).is_file():
            return b"", path_below(self._root, str(named))
        if self._cloud.ca_file is None:
            raise Unusable("system.rootCaPath is missing: give the cloud's CA in --init-config, or HEDGEROW_CA_FILE")
        try:
            return Path(self._cloud.ca_file).read_bytes(), self._root / ROOT_CA
        except OSError as error:
            raise Unusable(f"cannot read {self._cloud.ca_file}: {error.strerror}") from error

    def _values(self, wanted: Wanted, *, data: str, credentials: str, root_ca: Path) -> dict[str, Any]:
        nucleus: dict[str, Any] = {
            "iotDataEndpoint": data or _UNKNOWN,
            "iotCredEndpoint": credentials or _UNKNOWN,
            "iotRoleAlias": wanted.alias,
        }
        if self._cloud.https_port is not None:
            nucleus["greengrassDataPlanePort"] = self._cloud.https_port
        if self._cloud.mqtt_port is not None:
            nucleus["mqtt"] = {"port": self._cloud.mqtt_port}
        system = {
            "thingName": wanted.thing,
            "certificateFilePath": str(self._certificate),
            "privateKeyPath": str(self._key),
            "rootCaPath": str(root_ca),
        }
        return {"system": system, "services": {NUCLEUS: {"configuration": nucleus}}}

    def _resources(self) -> Resources:
        cloud = self._cloud
        account = cloud.sts.get_caller_identity()["Account"]
        return Resources(iot=cloud.iot, iam=cloud.iam, account=account, region=cloud.region, say=self._say)

    def _certified(self, resources: Resources) -> str:
        """Have the certificate on the medium, with its key; answer its ARN."""
        answer = self._record.get("answer") or self._asked(resources)
        self._keep(answer=answer)  # in one file, so that key and certificate belong together after a power cut
        if "keyPair" in answer:
            self._files.write_durably(self._key, answer["keyPair"]["PrivateKey"].encode(), mode=0o600)
        self._files.write_durably(self._certificate, answer["certificatePem"].encode(), mode=0o644)
        self._record.pop("answer", None)
        self._keep(certificateArn=answer["certificateArn"])
        return str(answer["certificateArn"])

    def _asked(self, resources: Resources) -> dict[str, Any]:
        """Have a certificate: what an earlier try was given and did not hear of, or a new one."""
        key = key_at(self._key, self._files)
        answer = self._lost(resources, key) if "asked" in self._record else None
        self._keep(asked=True)
        try:
            answer = answer or resources.sign(request_for(key))
            if answer is None:
                self._say("the key is made by the cloud: the right iot:CreateCertificateFromCsr is missing")
                answer = resources.issue()
        except Unusable:  # the cloud said no, so there is none to look for
            del self._record["asked"]
            self._keep()
            raise
        return {name: answer[name] for name in ("certificateArn", "certificatePem", "keyPair") if name in answer}

    def _lost(self, resources: Resources, key: Any) -> dict[str, Any] | None:
        """Look for a certificate of which an earlier try did not hear."""
        try:
            return resources.lost(lambda pem: fits(pem, key))
        except ClientError:
            self._say(
                "warning: an earlier try ended while it asked for a certificate, and the rights iot:ListCertificates "
                "and iot:DescribeCertificate to look for it are missing; if it was made, it is attached to nothing"
            )
            return None

    def _keep(self, **changes: Any) -> None:
        self._record.update(changes)
        self._files.write_durably(self._path, json.dumps(self._record).encode(), mode=0o600)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Unusable(f"cannot read {path}: {error}") from error
    return found if isinstance(found, dict) else {}


def _not_in_a_token(config: dict[str, Any]) -> None:
    if _said(config, "system", "privateKeyPath").startswith(SCHEME):
        raise Unusable(
            "--provision true makes a key in a file, but system.privateKeyPath names one in a token; enrol by claim or "
            "by the vending machine, which make it there, or leave privateKeyPath out"
        )
