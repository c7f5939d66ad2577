import stat
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from hedgerow.base.errors import Unusable
from hedgerow.base.files import RealFiles
from hedgerow.cli.edge import app
from hedgerow.edge.enrolment import IDENTITY
from hedgerow.edge.identity import Identity
from hedgerow.edge.install import Wish, install
from hedgerow.edge.state import State, remember
from tests.support.softhsm import PIN, SoftToken, soft_token
from tests.unit.edge.enrolling import configuration_text
from tests.unit.edge.pki import Pki


@pytest.fixture
def config(tmp_path: Path, pki: Pki) -> Path:
    path = tmp_path / "config.yml"
    path.write_text(configuration_text(pki, 8883))
    return path


def installed(root: Path, config: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["install", "--root", str(root), "--init-config", str(config), *more])


def test_the_configuration_is_put_where_the_edge_finds_it(tmp_path: Path, config: Path) -> None:
    result = installed(tmp_path / "edge", config)

    assert result.exit_code == 0, result.output
    assert (tmp_path / "edge" / "config" / "config.yaml").read_text() == config.read_text()
    assert f"hedgerow edge run --root {tmp_path / 'edge'}" in result.stdout


@pytest.mark.spec("BS-42", "BS-45")
def test_the_installers_options_make_a_service_that_starts_at_every_boot(tmp_path: Path, config: Path) -> None:
    units = tmp_path / "units"
    units.mkdir()

    result = installed(
        tmp_path / "an edge",
        config,
        *("--component-default-user", "root:root", "--aws-region", "eu-west-1"),
        *("--setup-system-service", "True", "--start", "TRUE", "--unit-folder", str(units)),
        *("--trusted-plugin", "/greengrass/v2/installer/aws.greengrass.FleetProvisioningByClaim.jar"),
    )

    assert result.exit_code == 0, result.output
    nucleus = yaml.safe_load((tmp_path / "an edge" / "config" / "config.yaml").read_text())
    nucleus = nucleus["services"]["aws.greengrass.Nucleus"]["configuration"]
    assert (nucleus["awsRegion"], nucleus["runWithDefault"]["posixUser"]) == ("eu-west-1", "root:root")
    unit = (units / "hedgerow-edge.service").read_text()
    assert f'edge run --root "{tmp_path}/an edge"\n' in unit
    assert (units / "multi-user.target.wants" / "hedgerow-edge.service").resolve() == units / "hedgerow-edge.service"
    assert installed(tmp_path / "an edge", config, "-ss", "true", "--unit-folder", str(units)).exit_code == 0


def test_a_service_that_runs_another_edge_is_left_alone(tmp_path: Path, config: Path) -> None:
    (tmp_path / "hedgerow-edge.service").write_text("[Service]\nExecStart=other\n")

    result = installed(tmp_path / "edge", config, "-ss", "true", "--unit-folder", str(tmp_path))

    assert result.exit_code == 2
    assert "runs another edge" in result.stderr
    assert not (tmp_path / "edge").exists()


@pytest.mark.spec("BS-39")
def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_written(tmp_path: Path, config: Path) -> None:
    text = config.read_text().replace("claimCertificatePath: ", "claimCertificatePath: /none")
    config.write_text(text)

    result = installed(
        tmp_path / "edge",
        config,
        "-u",
        "no-such-user:no-such-group",
        "-tp",
        "other.jar",
        "-ss",
        "true",
        "--unit-folder",
        str(tmp_path / "gone"),
    )

    assert result.exit_code == 2
    for words in ("there is no file /none", "no user no-such-user", "no group no-such-group", "other.jar", "no folder"):
        assert words in result.stderr
    assert not (tmp_path / "edge").exists()


@pytest.mark.spec("BS-39", "BS-41")
def test_what_the_file_lacks_is_said_with_what_the_options_say_wrong(tmp_path: Path, config: Path) -> None:
    text = config.read_text().replace("site-1", "REPLACEME").replace("provisioningTemplate", "provisioningTemplat")
    config.write_text(text)

    result = installed(tmp_path / "edge", config, "-u", "no-such-user", "-tp", "other.jar")

    for words in ("still says REPLACEME", "missing: ", "unknown: ", "no user no-such-user", "other.jar"):
        assert words in result.stderr
    assert not (tmp_path / "edge").exists()


@pytest.mark.parametrize("spoilt", ["claim.crt", "claim.key", "root.ca.pem"])
def test_a_claim_or_a_ca_that_is_cut_short_is_named(tmp_path: Path, config: Path, pki: Pki, spoilt: str) -> None:
    whole = pki.folder / spoilt
    (tmp_path / spoilt).write_bytes(whole.read_bytes()[:100])
    config.write_text(config.read_text().replace(str(whole), str(tmp_path / spoilt)))

    result = installed(tmp_path / "edge", config)

    assert result.exit_code == 2
    assert f"{tmp_path / spoilt}" in result.stderr
    assert not (tmp_path / "edge").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--deploy-dev-tools", "true"], "no local development tools"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    tmp_path: Path, config: Path, options: list[str], words: str
) -> None:
    result = installed(tmp_path / "edge", config, *options)

    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.spec("BS-41")
def test_the_machines_name_is_filled_in(tmp_path: Path, config: Path) -> None:
    config.write_text(config.read_text() + "# ${hostname}\n")

    install(
        Wish(root=tmp_path / "edge", init_config=config),
        files=RealFiles(),
        say=lambda _: None,
        host_name=lambda: "branch-017.example.org",
    )

    assert (tmp_path / "edge" / "config" / "config.yaml").read_text().endswith("# branch-017\n")


@pytest.mark.spec("BS-41")
@pytest.mark.parametrize(
    ("line", "host", "words"),
    [
        ("x: ${hostname}", "a/b&c", "has other than letters, digits, -"),
        ("x: ${hostname}", "", "has other than letters"),
        ("x: ${hostname}", "raspberrypi", "every fresh machine is called raspberrypi"),
        ("x: REPLACEME", "branch-017", "still says REPLACEME in line"),
    ],
)
def test_a_name_that_cannot_be_a_things_or_a_gap_that_is_left_is_refused(
    tmp_path: Path, config: Path, line: str, host: str, words: str
) -> None:
    config.write_text(config.read_text() + line + "\n")

    with pytest.raises(Unusable, match=words):
        install(Wish(root=tmp_path / "edge", init_config=config), files=RealFiles(), say=print, host_name=lambda: host)

    assert not (tmp_path / "edge").exists()


@pytest.mark.spec("BS-36")
def test_a_key_that_others_can_read_is_closed(tmp_path: Path, config: Path, pki: Pki) -> None:
    key = tmp_path / "claim.key"
    key.write_bytes(pki.claim[1].read_bytes())
    key.chmod(0o644)
    config.write_text(config.read_text().replace(str(pki.claim[1]), str(key)))

    result = installed(tmp_path / "edge", config)

    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert f"others could read {key}" in result.stdout


@pytest.mark.spec("AL-50")
def test_a_key_made_before_for_the_device_is_closed(tmp_path: Path, config: Path, pki: Pki) -> None:
    key = tmp_path / "made.key"
    key.write_bytes(pki.claim[1].read_bytes())
    key.chmod(0o644)
    (tmp_path / "made.csr").write_text("request")
    config.write_text(config.read_text() + f"      csrPath: {tmp_path}/made.csr\n      csrPrivateKeyPath: {key}\n")

    result = installed(tmp_path / "edge", config)

    assert result.exit_code == 0, result.output
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


@pytest.mark.spec("AL-54")
def test_a_device_that_has_used_up_its_claim_is_set_up_again_without_it(tmp_path: Path, config: Path, pki: Pki) -> None:
    root = tmp_path / "edge"
    config.write_text(config.read_text().replace(str(pki.claim[0]), "gone.pem").replace(str(pki.claim[1]), "gone.key"))
    assert "there is no file" in installed(root, config).stderr
    root.mkdir()
    state = State(root / "state.db")
    identity = Identity(thing_name="site-1", certificate=root / "c.pem", private_key=root / "k.pem")
    state.now(lambda connection: remember(connection, IDENTITY, identity.as_values()))
    state.close()

    result = installed(root, config)

    assert result.exit_code == 0, result.output


@pytest.fixture
def soft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    return soft_token(tmp_path / "softhsm", monkeypatch)


def with_token(config: Path, soft: SoftToken, keys: str, pin: str = PIN) -> None:
    config.write_text(config.read_text() + keys + soft.section(pin=pin))
    config.chmod(0o600)


NEW_KEY = "      privateKeyPath: pkcs11:object=new;type=private\n"


@pytest.mark.spec("AL-50")
def test_a_token_is_looked_at_and_its_pin_is_in_a_closed_file_only(
    tmp_path: Path, config: Path, soft: SoftToken
) -> None:
    with_token(config, soft, NEW_KEY)

    result = installed(
        tmp_path / "edge", config, "-tp", "/greengrass/v2/installer/aws.greengrass.crypto.Pkcs11Provider.jar"
    )

    assert result.exit_code == 0, result.output
    assert stat.S_IMODE((tmp_path / "edge" / "config" / "config.yaml").stat().st_mode) == 0o600
    assert PIN not in result.output
    assert soft.labels() == []  # the edge makes the key, not the installer


def test_a_token_that_cannot_be_used_is_said_with_everything_else(
    tmp_path: Path, config: Path, soft: SoftToken, pki: Pki
) -> None:
    config.write_text(config.read_text().replace(str(pki.claim[1]), "pkcs11:object=claim;type=private"))
    with_token(config, soft, "      csrPath: /none.csr\n      csrPrivateKeyPath: pkcs11:object=made;type=private\n")
    config.chmod(0o644)

    result = installed(tmp_path / "edge", config, "-u", "no-such-user")

    assert result.exit_code == 2
    for words in (
        "no user no-such-user",
        f"others can read it; close it first: chmod 600 {config}",
        "has no private key pkcs11:object=claim;type=private",
        "has no private key pkcs11:object=made;type=private",
        "there is no file /none.csr",
    ):
        assert words in result.stderr
    assert not (tmp_path / "edge").exists()


def test_a_wrong_pin_stops_the_installer(tmp_path: Path, config: Path, soft: SoftToken) -> None:
    with_token(config, soft, NEW_KEY, pin="0000")

    result = installed(tmp_path / "edge", config)

    assert result.exit_code == 2
    assert "does not take the PIN" in result.stderr
    assert "0000" not in result.output


def test_an_edge_does_not_start_from_a_file_with_a_pin_that_others_can_read(
    tmp_path: Path, config: Path, soft: SoftToken
) -> None:
    with_token(config, soft, NEW_KEY)
    config.chmod(0o640)

    result = CliRunner().invoke(app, ["run", "--root", str(tmp_path / "edge"), "--init-config", str(config)])

    assert result.exit_code == 2
    assert f"chmod 600 {config}" in result.stderr


@pytest.mark.parametrize(
    ("name", "system", "words"),
    [
        ("press-7", "system: {certificateFilePath: %s, privateKeyPath: %s}", ""),
        ("not a thing's", "system: {certificateFilePath: %s, privateKeyPath: %s}", "system.thingName is missing"),
        ("not a thing's", "system: {thingName: T, certificateFilePath: %s, privateKeyPath: %s}", ""),
        ("x", "system: {certificateFilePath: %s, privateKeyPath: none.key}", "there is no file"),
    ],
)
def test_a_ready_made_certificate_is_looked_at_before_anything_is_written(
    tmp_path: Path, config: Path, pki: Pki, name: str, system: str, words: str
) -> None:
    files = tuple(map(str, pki.device.issue(tmp_path, name)))
    nucleus = config.read_text().partition("  aws.greengrass.Fleet")[0]
    text = system % files[: system.count("%s")]
    config.write_text(f"{nucleus}{text.replace('}', f', rootCaPath: {pki.root_ca}}}')}\n")

    result = installed(tmp_path / "edge", config)

    assert (result.exit_code == 0) is not bool(words), result.output
    assert words in result.stderr
    assert (tmp_path / "edge").exists() is not bool(words)


def test_the_files_that_the_vending_machine_is_told_from_must_be_there(tmp_path: Path, config: Path, pki: Pki) -> None:
    nucleus = config.read_text().partition("  aws.greengrass.Fleet")[0]
    said = f"{{serialNumberPath: {tmp_path}/serial, tokenPath: {tmp_path}/token}}"
    config.write_text(
        f"{nucleus}  hedgerow.VendingMachine: {{configuration: {said}}}\nsystem: {{rootCaPath: {pki.root_ca}}}\n"
    )
    (tmp_path / "token").write_text("printed")

    refused = installed(tmp_path / "edge", config)
    (tmp_path / "serial").write_text("4711")
    done = installed(tmp_path / "edge", config)

    assert f"there is no file {tmp_path}/serial" in refused.stderr
    assert "token" not in refused.stderr
    assert done.exit_code == 0, done.output
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
