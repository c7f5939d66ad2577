"""`hedgerow edge install --provision true` against a scripted cloud: what is there, denied, lost, and cut short."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError, EndpointConnectionError
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from hedgerow.base.errors import Unusable
from hedgerow.base.files import Files, RealFiles
from hedgerow.cli.edge import app
from hedgerow.cli.edge_provisioning import Cloud, Options, _Provisioning, reached
from hedgerow.edge.install import Wish
from tests.support.files import RecordingDisk
from tests.support.registry import certificate_pem
from tests.unit.edge.pki import Authority

ACCOUNT = "123456789012"


class Account:
    """IoT, IAM and STS of one account: every call by its name, with what it made and whom it denies."""

    def __init__(self) -> None:
        self.authority = Authority.make("device CA")
        self.calls: list[str] = []
        self.denied: set[str] = {"create_certificate_from_csr", "list_certificates"}
        self.there: set[str] = set()
        self.certificates: dict[str, str] = {}  # ARN → PEM
        self.attached: set[tuple[str, str]] = set()
        self.role = "GreengrassV2TokenExchangeRole"
        self.on_asked: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)

        def call(**given: Any) -> Any:
            self.calls.append(name)
            if name in self.denied:
                raise self._error("AccessDeniedException", "not authorized")
            return getattr(self, f"_{name}", self._plain)(name, given)

        return call

    def _error(self, code: str, text: str = "") -> ClientError:
        return ClientError({"Error": {"Code": code, "Message": text}}, "Any")

    def _plain(self, name: str, given: dict[str, Any]) -> Any:
        verb, _, kind = name.partition("_")
        key = f"{kind}:{next(iter(given.values()), '')}".replace(f"arn:aws:iam::{ACCOUNT}:policy/", "")
        if verb in ("get", "describe") and key not in self.there:
            raise self._error("ResourceNotFoundException")
        if verb == "create":
            if key in self.there:
                raise self._error("ResourceAlreadyExistsException")
            self.there.add(key)
        return {}

    def _get_caller_identity(self, _: str, __: dict[str, Any]) -> Any:
        return {"Account": ACCOUNT}

    def _describe_endpoint(self, _: str, __: dict[str, Any]) -> Any:
        return {"endpointAddress": "cloud.local"}

    def _describe_role_alias(self, name: str, given: dict[str, Any]) -> Any:
        self._plain(name, given)
        return {"roleAliasDescription": {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/{self.role}"}}

    def _create_thing(self, _: str, given: dict[str, Any]) -> Any:
        self.there.add(f"thing:{given['thingName']}")
        return {}

    def _create_certificate_from_csr(self, _: str, given: dict[str, Any]) -> Any:
        self.on_asked()
        return self._made(self.authority.sign_request(given["certificateSigningRequest"]))

    def _create_keys_and_certificate(self, _: str, __: dict[str, Any]) -> Any:
        key = ec.generate_private_key(ec.SECP256R1())
        form = serialization.PrivateFormat.PKCS8
        private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
        pem = self.authority.signed(key.public_key(), "device").public_bytes(serialization.Encoding.PEM).decode()
        self.on_asked()
        return {**self._made(pem), "keyPair": {"PrivateKey": private}}

    def _made(self, pem: str) -> dict[str, Any]:
        arn = f"arn:aws:iot:eu-central-1:{ACCOUNT}:cert/{len(self.certificates)}"
        self.certificates[arn] = pem
        return {"certificateArn": arn, "certificatePem": pem, "certificateId": arn.rpartition("/")[2]}

    def _list_certificates(self, _: str, __: dict[str, Any]) -> Any:
        return {"certificates": [{"certificateId": arn.rpartition("/")[2]} for arn in self.certificates]}

    def _describe_certificate(self, _: str, given: dict[str, Any]) -> Any:
        arn = next(arn for arn in self.certificates if arn.endswith(f"/{given['certificateId']}"))
        return {"certificateDescription": {"certificateArn": arn, "certificatePem": self.certificates[arn]}}

    def _attach_policy(self, _: str, given: dict[str, Any]) -> Any:
        self.attached.add((given["policyName"], given["target"]))

    def _attach_thing_principal(self, _: str, given: dict[str, Any]) -> Any:
        self.attached.add((given["thingName"], given["principal"]))


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_text(certificate_pem(common_name="the cloud"))
    return path


def provision(
    account: Account,
    root: Path,
    ca: Path | None,
    *,
    files: Files | None = None,
    config: Path | None = None,
    **options: Any,
) -> list[str]:
    """Provision and answer what was said."""
    said: list[str] = []
    cloud = Cloud(
        region="eu-central-1",
        iot=account,
        iam=account,
        sts=account,
        ca_file=str(ca) if ca else None,
        mqtt_port=18883,
        https_port=18443,
    )
    wish = Wish(root=root, init_config=config)
    _Provisioning(wish, Options(**options), cloud, files=files or RealFiles(), say=said.append).run()
    return said


def configuration(root: Path) -> Any:
    return yaml.safe_load((root / "config" / "config.yaml").read_text())


@pytest.mark.spec("BS-42")
def test_what_is_missing_is_made_and_the_configuration_says_all_of_it(
    tmp_path: Path, ca: Path, account: Account
) -> None:
    root = tmp_path / "edge"

    provision(account, root, ca, thing="core-1", group="cores")

    system = configuration(root)["system"]
    nucleus = configuration(root)["services"]["aws.greengrass.Nucleus"]["configuration"]
    assert system["thingName"] == "core-1"
    assert Path(system["rootCaPath"]).read_text() == ca.read_text()
    assert (nucleus["iotDataEndpoint"], nucleus["greengrassDataPlanePort"], nucleus["mqtt"]["port"]) == (
        "cloud.local",
        18443,
        18883,
    )
    assert nucleus["iotRoleAlias"] == "GreengrassV2TokenExchangeRoleAlias"
    assert stat.S_IMODE((root / "privKey.key").stat().st_mode) == 0o600
    ((arn, _),) = account.certificates.items()
    assert account.attached == {
        ("GreengrassV2IoTThingPolicy", arn),
        ("GreengrassTESCertificatePolicyGreengrassV2TokenExchangeRoleAlias", arn),
        ("core-1", arn),
    }


def test_given_again_it_uses_what_is_there_with_the_name_that_it_chose(
    tmp_path: Path, ca: Path, account: Account
) -> None:
    root = tmp_path / "edge"
    first = provision(account, root, ca)
    name = configuration(root)["system"]["thingName"]

    again = provision(account, root, ca)

    assert name.startswith("GreengrassV2IotThing_")
    assert configuration(root)["system"]["thingName"] == name
    assert len(account.certificates) == 1
    assert "role GreengrassV2TokenExchangeRole: made" in first
    assert "role GreengrassV2TokenExchangeRole: there" in again
    with pytest.raises(Unusable, match=f"begun for the thing {name}, not other"):
        provision(account, root, ca, thing="other")


def test_who_may_have_requests_signed_keeps_the_key_on_the_device(tmp_path: Path, ca: Path, account: Account) -> None:
    account.denied = set()

    provision(account, tmp_path / "edge", ca)

    assert "create_keys_and_certificate" not in account.calls
    key = serialization.load_pem_private_key((tmp_path / "edge" / "privKey.key").read_bytes(), None)
    (pem,) = account.certificates.values()
    assert x509.load_pem_x509_certificate(pem.encode()).public_key() == key.public_key()


def test_all_missing_rights_are_named_at_once_and_there_is_no_certificate_yet(
    tmp_path: Path, ca: Path, account: Account
) -> None:
    account.denied = {"create_policy", "create_role", "get_policy", "create_thing", "describe_thing_group"}
    account.denied |= {"describe_endpoint"}

    with pytest.raises(Unusable) as caught:
        provision(account, tmp_path / "edge", ca, group="cores")

    named = str(caught.value).partition("the rights ")[2].partition(" are missing")[0].split(", ")
    assert sorted(named) == [
        "iam:CreateRole",
        "iot:CreatePolicy",
        "iot:CreateThing",
        "iot:DescribeEndpoint",
        "iot:GetPolicy",
    ]
    assert account.certificates == {}
    assert not (tmp_path / "edge" / "config" / "config.yaml").exists()


def test_a_role_alias_that_stands_for_another_role_is_used_as_it_is(tmp_path: Path, ca: Path, account: Account) -> None:
    account.there, account.role = {"role_alias:own"}, "another"

    said = provision(account, tmp_path / "edge", ca, alias="own")

    assert "it stands for the role another, which is used as it is" in said
    assert "create_role" not in account.calls
    assert "attach_role_policy" not in account.calls


def test_what_the_configuration_says_already_is_kept(tmp_path: Path, ca: Path, account: Account) -> None:
    config = tmp_path / "config.yaml"
    nucleus = {"iotRoleAlias": "own", "iotDataEndpoint": "my.own.domain", "logging": {"level": "DEBUG"}}
    sections = {"aws.greengrass.Nucleus": {"configuration": nucleus}}
    config.write_text(yaml.safe_dump({"system": {"thingName": "stated"}, "services": sections}))

    provision(account, tmp_path / "edge", ca, config=config)

    written = configuration(tmp_path / "edge")
    now = written["services"]["aws.greengrass.Nucleus"]["configuration"]
    assert (written["system"]["thingName"], now["iotRoleAlias"], now["iotDataEndpoint"]) == (
        "stated",
        "own",
        "my.own.domain",
    )
    assert now["logging"] == {"level": "DEBUG"}
    assert "role_alias:own" in account.there


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("certificate", "holds a certificate already"),
        ("ca", "system.rootCaPath is missing"),
        ("user", "there is no user no-such-user"),
        ("claim", "are 2 ways to an identity at once"),
        ("key", "system.privateKeyPath is .*privKey.key with --provision true; leave it out"),
        ("token", "system.privateKeyPath names one in a token"),
    ],
)
def test_what_is_wrong_on_the_device_is_said_before_anything_is_made_in_the_cloud(
    tmp_path: Path, ca: Path, account: Account, spoil: str, words: str
) -> None:
    root, config = tmp_path / "edge", tmp_path / "config.yaml"
    nucleus: dict[str, Any] = {"runWithDefault": {"posixUser": "no-such-user"}} if spoil == "user" else {}
    claim = {"provisioningTemplate": "t", "claimCertificatePath": "c", "claimCertificatePrivateKeyPath": "k"}
    sections = {"aws.greengrass.Nucleus": nucleus}
    if spoil == "claim":
        sections["aws.greengrass.FleetProvisioningByClaim"] = claim
    places = {"token": "pkcs11:object=key;type=private", "key": "another.key"}
    system = {"privateKeyPath": places[spoil]} if spoil in places else {}
    services = {name: {"configuration": values} for name, values in sections.items()}
    config.write_text(yaml.safe_dump({"system": system, "services": services}))
    root.mkdir()
    if spoil == "certificate":
        (root / "thingCert.crt").write_text("another's")

    with pytest.raises(Unusable, match=words):
        provision(account, root, None if spoil == "ca" else ca, config=config)

    assert not any(call.startswith(("create", "attach")) for call in account.calls)


@pytest.mark.slow
@pytest.mark.parametrize("by_request", [True, False])
@pytest.mark.spec("BS-42", "AL-50")
def test_a_power_cut_at_any_write_goes_on_with_one_certificate(
    tmp_path: Path, ca: Path, account: Account, by_request: bool
) -> None:
    live = tmp_path / "live"
    live.mkdir()
    disk = RecordingDisk(live)
    RealFiles(disk).make_folder(live / "config")
    account.denied = set() if by_request else {"create_certificate_from_csr"}
    account.on_asked = lambda: disk.acknowledge("asked")
    provision(account, live, ca, files=RealFiles(disk), thing="core-1")
    (made,) = account.certificates.items()

    cuts = list(disk.power_cuts())

    assert len(cuts) > 10
    for number, cut in enumerate(cuts):
        root = cut.lay_out(tmp_path / f"cut-{number}")
        cloud = Account()
        cloud.denied = account.denied
        cloud.authority = account.authority
        cloud.certificates = dict([made]) if "asked" in cut.acknowledged else {}
        known = set(cloud.certificates)
        provision(cloud, root, ca, thing="core-1")

        key = serialization.load_pem_private_key((root / "privKey.key").read_bytes(), None)
        certificate = (root / "thingCert.crt").read_text()
        assert x509.load_pem_x509_certificate(certificate.encode()).public_key() == key.public_key()
        assert "PRIVATE" not in (root / "config" / "provisioning.json").read_text()
        if by_request or (known and b"PRIVATE" in (cut.tree.get("config/provisioning.json") or b"")):
            assert list(cloud.certificates.values()) == [certificate]


def test_a_certificate_that_cannot_be_looked_for_is_said_and_one_that_was_denied_is_not(
    tmp_path: Path, ca: Path, account: Account
) -> None:
    root = tmp_path / "edge"

    def breaks() -> None:
        raise EndpointConnectionError(endpoint_url="https://cloud.local")

    account.denied |= {"create_keys_and_certificate"}
    with pytest.raises(Unusable, match="the rights iot:CreateKeysAndCertificate are missing"):
        provision(account, root, ca)
    account.denied -= {"create_keys_and_certificate"}
    account.on_asked = breaks
    with pytest.raises(EndpointConnectionError):
        provision(account, root, ca)
    account.on_asked = lambda: None

    said = provision(account, root, ca)

    assert sum("if it was made, it is attached to nothing" in line for line in said) == 1
    assert json.loads((root / "config" / "provisioning.json").read_text())["certificateArn"] in account.certificates


def test_without_region_or_credentials_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(Unusable, match="needs --aws-region"):
        reached(None, "")
    with pytest.raises(Unusable, match="needs AWS credentials"):
        reached(None, "eu-central-1")


@pytest.mark.parametrize(("url", "ours"), [(None, False), ("https://cloud.local:8443", True)])
def test_the_cloud_is_the_one_of_the_users_aws_settings(
    monkeypatch: pytest.MonkeyPatch, url: str | None, ours: bool
) -> None:
    for name in ("AWS_ENDPOINT_URL", "HEDGEROW_HTTPS_PORT"):
        monkeypatch.delenv(name, raising=False)
    settings = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "HEDGEROW_MQTT_PORT": "1"}
    for name, value in {**settings, **({"AWS_ENDPOINT_URL": url} if url else {})}.items():
        monkeypatch.setenv(name, value)

    cloud = reached(None, "eu-central-1")

    assert (cloud.ours, cloud.region, cloud.mqtt_port, cloud.https_port) == (ours, "eu-central-1", 1, None)
    assert cloud.iot.meta.endpoint_url == (url or "https://iot.eu-central-1.amazonaws.com")


def test_names_of_resources_without_provision_true_are_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["install", "--root", str(tmp_path / "edge"), "--thing-name", "core-1"])

    assert result.exit_code == 2
    assert "are for --provision true" in result.stderr
