from pathlib import Path

import pytest

from hedgerow.base.errors import Unusable
from hedgerow.edge.configuration import Endpoint, endpoint, read
from hedgerow.edge.pkcs11.uri import Pkcs11Uri

ROOT = Path("/gg")
FULL = """
services:
  aws.greengrass.Nucleus:
    version: 2.18.0
    configuration:
      awsRegion: eu-central-1
      iotDataEndpoint: cloud.local
      iotCredEndpoint: cloud.local:9443
      iotRoleAlias: Role
      greengrassDataPlanePort: 9443
      mqtt: {port: 9883, keepAliveTimeoutMs: 30000}
  aws.greengrass.FleetProvisioningByClaim:
    configuration:
      rootPath: /gg
      iotDataEndpoint: cloud.local
      provisioningTemplate: sites
      claimCertificatePath: claim/claim.pem
      claimCertificatePrivateKeyPath: /secrets/claim.key
      rootCaPath: claim/ca.pem
      templateParameters: {ThingName: site-1, Serial: 17}
"""


@pytest.mark.spec("BS-39", "BS-06")
def test_the_nucleus_form_is_read_with_its_ports_and_paths() -> None:
    settings = read(FULL, root=ROOT)

    assert settings.mqtt_endpoint == Endpoint("cloud.local", 9883)
    assert settings.data_plane == Endpoint("cloud.local", 9443)
    assert settings.credentials == Endpoint("cloud.local", 9443)
    assert settings.root_ca == Path("/gg/claim/ca.pem")
    assert settings.mqtt.keep_alive_s == 30
    assert settings.claim is not None
    assert settings.claim.endpoint == Endpoint("cloud.local", 9883)
    assert settings.claim.private_key == Path("/secrets/claim.key")
    assert settings.claim.parameters == {"ThingName": "site-1", "Serial": "17"}
    assert settings.warnings == ()


@pytest.mark.spec("BS-39", "JB-57")
def test_what_is_missing_is_said_all_at_once() -> None:
    with pytest.raises(Unusable) as raised:
        read("services: {}", root=ROOT)

    message = str(raised.value)
    for name in ("rootCaPath", "awsRegion", "iotDataEndpoint", "provisioningTemplate", "claimCertificatePath"):
        assert name in message
    assert "\n" not in message


@pytest.mark.spec("BS-39")
def test_unknown_keys_are_warned_of_by_their_whole_name() -> None:
    text = FULL.replace("iotRoleAlias", "iotRoleAlais").replace("version: 2.18.0", "version: 2.18.0\n    colour: red")

    warnings = read(text, root=ROOT).warnings

    assert warnings == (
        "unknown key services.aws.greengrass.Nucleus.colour",
        "unknown key services.aws.greengrass.Nucleus.configuration.iotRoleAlais",
    )


@pytest.mark.spec("BS-39")
def test_a_key_that_is_misspelt_is_named_beside_the_one_that_is_missing() -> None:
    with pytest.raises(Unusable, match=r"missing: .*\.claimCertificatePath; unknown: .*\.claimCertificatPath$"):
        read(FULL.replace("claimCertificatePath", "claimCertificatPath"), root=ROOT)


def test_a_key_that_is_there_in_two_spellings_is_refused() -> None:
    text = FULL.replace("awsRegion:", "AWSRegion: us-east-1\n      awsRegion:", 1)

    with pytest.raises(Unusable, match=r"configuration.AWSRegion and services\S+.awsRegion are the same key"):
        read(text, root=ROOT)


@pytest.mark.parametrize("port", ["true", "8883.5", ".inf", "1e400", "[8883]"])
def test_a_port_that_is_no_whole_number_is_refused(port: str) -> None:
    with pytest.raises(Unusable, match=r"mqtt.port must be a whole number"):
        read(FULL.replace("port: 9883", f"port: {port}"), root=ROOT)


@pytest.mark.spec("BS-39")
def test_a_parameter_is_what_was_written_or_refused() -> None:
    said = "A: 0047, B: 12:30, C: 1.10, D: 4711, E: 2026-01-01"
    kept = read(FULL.replace("Serial: 17", said), root=ROOT).claim

    with pytest.raises(Unusable) as raised:
        read(FULL.replace("Serial: 17", "A: yes, B: , C: [x]"), root=ROOT)

    assert kept is not None
    values = {"A": "0047", "B": "12:30", "C": "1.10", "D": "4711", "E": "2026-01-01"}
    assert kept.parameters == {"ThingName": "site-1", **values}
    for words in ("Parameters.A must be in quotes", "Parameters.B must be in quotes", "Parameters.C must be a text"):
        assert words in str(raised.value)


def test_options_without_effect_are_said() -> None:
    text = FULL.replace("awsRegion: eu-central-1", "awsRegion: eu-central-1\n      jvmOptions: -Xmx64m", 1)

    assert read(text, root=ROOT).warnings == (
        "services.aws.greengrass.Nucleus.configuration.jvmOptions has no effect on this edge",
    )


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ("networkProxy: {proxy: {url: 'http://p'}}", "networkProxy.proxy.url is not supported"),
        ("fipsMode: true", "fipsMode is not supported"),
        ("s3EndpointType: LOCAL", "s3EndpointType must be one of GLOBAL, REGIONAL"),
        ("componentStoreMaxSizeBytes: many", "componentStoreMaxSizeBytes must be a whole number"),
        ("greengrassDataPlaneEndpoint: 'a b:c:d:e'", "greengrassDataPlaneEndpoint must be a host"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(extra: str, named: str) -> None:
    text = FULL.replace("awsRegion: eu-central-1", f"awsRegion: eu-central-1\n      {extra}", 1)

    with pytest.raises(Unusable, match=named):
        read(text, root=ROOT)


def test_a_tab_is_reported_with_its_line() -> None:
    with pytest.raises(Unusable, match=r"not YAML: line 3, column 1"):
        read("services:\n  a: 1\n\tb: 2\n", root=ROOT)


def test_an_identity_that_was_given_needs_no_claim() -> None:
    text = """
system: {thingName: T, certificateFilePath: c.pem, privateKeyPath: k.pem, rootCaPath: ca.pem}
services: {aws.greengrass.Nucleus: {configuration: {awsRegion: r, iotDataEndpoint: h}}}
"""

    settings = read(text, root=ROOT)

    assert settings.given is not None
    assert (settings.given.thing_name, settings.claim) == ("T", None)


VENDED = """
system: {rootCaPath: ca.pem}
services:
  aws.greengrass.Nucleus:
    configuration: {awsRegion: r, iotDataEndpoint: cloud.local, greengrassDataPlanePort: 9443}
  hedgerow.VendingMachine:
    configuration: {serialNumberPath: /sys/serial, token: printed, accountId: "123456789012", connection: https}
"""


@pytest.mark.spec("AL-26", "AL-30")
def test_the_vending_machine_is_asked_where_the_data_plane_is_unless_another_place_is_said() -> None:
    settings = read(VENDED, root=ROOT)
    elsewhere = read(VENDED.replace("token:", "endpoint: 'desk.local:443', token:"), root=ROOT).vending

    vending = settings.vending
    assert vending is not None
    assert elsewhere is not None
    assert (vending.endpoint, elsewhere.endpoint) == (Endpoint("cloud.local", 9443), Endpoint("desk.local", 443))
    assert (vending.serial.file, vending.token.text) == (Path("/sys/serial"), "printed")
    assert (vending.account, vending.by_socket) == ("123456789012", False)
    assert vending.new_private_key == Path("/gg/privKey.key")
    assert (settings.claim, settings.given, settings.warnings) == (None, None, ())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ("token: printed", "endpoint: x"),
            r"missing: services.hedgerow.VendingMachine.configuration.token \(or token",
        ),
        (("token: printed", "token: a, tokenPath: b"), "needs token or tokenPath, not both"),
        (("token: printed", "token: a, endpoint: 'a b:c:d'"), "VendingMachine.configuration.endpoint must be a host"),
        (("serialNumberPath: /sys/serial", "serialNumber: yes"), r"services\S+.serialNumber must be in quotes"),
        (("connection: https", "connection: pigeon"), "connection must be one of WebSocket, HTTPS"),
    ],
)
def test_what_is_wrong_about_the_vending_machine_is_named(change: tuple[str, str], words: str) -> None:
    with pytest.raises(Unusable, match=words):
        read(VENDED.replace(*change), root=ROOT)


READY = "\nsystem: {certificateFilePath: c, privateKeyPath: k}\n"
VENDING = "\n  hedgerow.VendingMachine: {configuration: {serialNumber: '1', token: t}}\n"


@pytest.mark.spec("AL-41")
@pytest.mark.parametrize(
    ("text", "ways"),
    [
        (FULL + READY, "system.certificateFilePath and aws.greengrass.FleetProvisioningByClaim are 2 ways"),
        (FULL + VENDING, "aws.greengrass.FleetProvisioningByClaim and hedgerow.VendingMachine are 2 ways"),
        (FULL + VENDING + READY, "are 3 ways to an identity at once; keep one of them"),
    ],
)
def test_two_ways_to_an_identity_at_once_are_refused(text: str, ways: str) -> None:
    with pytest.raises(Unusable, match=ways):
        read(text, root=ROOT)


def test_no_way_to_an_identity_is_said_with_the_ways_that_there_are() -> None:
    with pytest.raises(Unusable, match=r"no way to an identity: none of system.certificateFilePath, aws.*, hedgerow.V"):
        read("services: {}", root=ROOT)


def test_a_ready_made_certificate_may_say_the_things_name_itself() -> None:
    text = FULL.partition("  aws.greengrass.FleetProvisioningByClaim")[0]
    given = read(text + "\nsystem: {certificateFilePath: c, privateKeyPath: k, rootCaPath: r}", root=ROOT).given

    assert given is not None
    assert given.thing_name == ""


def test_half_an_identity_is_named() -> None:
    with pytest.raises(Unusable, match=r"system.certificateFilePath, system.privateKeyPath"):
        read(FULL + "\nsystem: {thingName: T}\n", root=ROOT)


def test_against_aws_the_data_plane_has_its_own_host_and_the_standard_ports() -> None:
    host = "a1-ats.iot.eu-central-1.amazonaws.com"
    text = FULL.replace("cloud.local:9443", "c1.credentials.iot.eu-central-1.amazonaws.com").replace(
        "cloud.local", host
    )
    text = text.replace("mqtt: {port: 9883, keepAliveTimeoutMs: 30000}", "").replace(
        "greengrassDataPlanePort: 9443", ""
    )

    settings = read(text, root=ROOT)

    assert settings.mqtt_endpoint == Endpoint(host, 8883)
    assert settings.data_plane == Endpoint("greengrass-ats.iot.eu-central-1.amazonaws.com", 8443)
    assert settings.credentials is not None
    assert settings.credentials.port == 443


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("host", Endpoint("host", 1)),
        ("host:2", Endpoint("host", 2)),
        ("https://host:2/", Endpoint("host", 2)),
        ("[fe80::1]:2", Endpoint("fe80::1", 2)),
        ("10.0.0.1", Endpoint("10.0.0.1", 1)),
        ("host:70000", None),
        ("", None),
        ("host:x", None),
        ("my host", None),
        ("<your endpoint>", None),
        ("a..b", None),
        (f"{'a' * 64}.example", None),
        ("bücher.example", Endpoint("bücher.example", 1)),
    ],
)
def test_an_endpoint_is_a_host_perhaps_with_a_port(text: str, expected: Endpoint | None) -> None:
    assert endpoint(text, 1) == expected


TOKEN = """
  aws.greengrass.crypto.Pkcs11Provider:
    version: 2.0.7
    configuration:
      name: hsm
      library: /usr/lib/softhsm/libsofthsm2.so
      slot: 4
      userPin: "0123"
"""
GIVEN = """
system:
  thingName: site-1
  certificateFilePath: pkcs11:object=iotdevicekey;type=cert
  privateKeyPath: pkcs11:object=iotdevicekey;type=private
  rootCaPath: file:///gg/a%20folder/ca.pem
services:
  aws.greengrass.Nucleus:
    configuration: {awsRegion: eu-central-1, iotDataEndpoint: cloud.local}
"""


@pytest.mark.spec("AL-50")
def test_keys_in_a_token_are_read_in_the_nucleus_form() -> None:
    given = read(GIVEN + TOKEN, root=ROOT)
    claimed = read(FULL + "      privateKeyPath: pkcs11:object=new\n" + TOKEN, root=ROOT)

    assert given.given is not None
    assert given.given.private_key == Pkcs11Uri(object="iotdevicekey")
    assert given.given.certificate == Pkcs11Uri(object="iotdevicekey", type="cert")
    assert given.root_ca == Path("/gg/a folder/ca.pem")
    assert claimed.claim is not None
    assert claimed.claim.new_private_key == Pkcs11Uri(object="new")
    assert given.token == claimed.token
    assert given.token is not None
    assert (given.token.name, given.token.slot, given.token.user_pin) == ("hsm", 4, "0123")
    assert given.token.library == Path("/usr/lib/softhsm/libsofthsm2.so")
    assert read(GIVEN + TOKEN.replace('"0123"', "0123"), root=ROOT).token == given.token
    assert (given.file_mode, read(FULL, root=ROOT).file_mode) == (0o600, 0o644)
    assert read(VENDED, root=ROOT).file_mode == 0o600
    assert read(VENDED.replace("token:", "tokenPath:"), root=ROOT).file_mode == 0o644
    assert given.warnings == claimed.warnings == ()
    assert "0123" not in repr(given)


def test_everything_that_is_wrong_with_a_token_is_said_at_once() -> None:
    text = FULL + "      privateKeyPath: pkcs11:type=private\n      certificatePath: pkcs11:object=c;type=cert\n"
    wrong = TOKEN.replace("name: hsm", "").replace("library: /usr", "library: usr")

    with pytest.raises(Unusable) as raised:
        read(text + wrong.replace("slot: 4", "slot: first"), root=ROOT)

    message = str(raised.value)
    for words in (
        "missing: services.aws.greengrass.crypto.Pkcs11Provider.configuration.name",
        "library must be the whole path",
        "slot must be a whole number, not 'first'",
        "pkcs11:type=private names nothing in a token: object=LABEL is missing",
        "pkcs11:object=c;type=cert must be a file",
    ):
        assert words in message
    assert "0123" not in message


def test_a_key_in_a_token_without_a_token_names_all_that_is_missing() -> None:
    with pytest.raises(Unusable) as raised:
        read(GIVEN, root=ROOT)

    for name in ("name", "library", "slot", "userPin"):
        assert f"services.aws.greengrass.crypto.Pkcs11Provider.configuration.{name}" in str(raised.value)


def test_a_token_without_a_key_in_it_is_said_to_have_no_effect() -> None:
    (warning,) = read(FULL + TOKEN, root=ROOT).warnings

    assert "Pkcs11Provider.configuration has no effect" in warning


def test_a_pin_in_a_uri_is_refused_and_not_repeated() -> None:
    text = GIVEN.replace("type=private", "type=private?pin-value=4711")

    with pytest.raises(Unusable, match="the PIN is userPin") as raised:
        read(text + TOKEN, root=ROOT)

    assert "4711" not in str(raised.value)
