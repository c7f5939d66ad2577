"""A claim as the console hands it out and as an edge reads it: the two are strangers and share only the format."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hedgerow.base.errors import Unusable
from hedgerow.base.files import RealFiles
from hedgerow.cli.edge import app
from hedgerow.console.handout import PREFIX, Handout, base45, code
from hedgerow.core import pki
from hedgerow.core.pki import KeyKind
from hedgerow.edge import configuration, handed
from hedgerow.edge.handed import Handed, read_claim

NOW = 1_800_000_000.0


def handout(kind: KeyKind = "p256", **changes: Any) -> Handout:
    key, device_ca = pki.new_key(kind), pki.new_device_authority(NOW)
    given: dict[str, Any] = {
        "template": "fleet",
        "certificate_id": "c" * 64,
        "certificate_pem": pki.issue_device(device_ca, key.public_key(), NOW, end=NOW + 300),
        "private_key_pem": pki.private_pem(key),
        "ca_pem": pki.pem_of(pki.new_server_authority(NOW).certificate),
        "host": "hedgerow.factory.example.com",
        "mqtt_port": 8883,
        "https_port": 8443,
        "region": "us-east-1",
        "expires_at": NOW + 300,
    }
    return Handout(**{**given, **changes})


def read(folder: Path, text: str) -> Handed:
    path = folder / "claim"
    path.write_text(text)
    return read_claim(path)


@pytest.mark.parametrize("kind", ["p256", pytest.param("rsa2048", marks=pytest.mark.slow)])
def test_file_and_code_hold_the_same_claim(tmp_path: Path, kind: KeyKind) -> None:
    made = handout(kind)

    by_file, by_code = read(tmp_path, made.file()), read(tmp_path, made.text() + "\n")

    key = load_pem_private_key(made.private_key_pem.encode(), None)
    for found in (by_file, by_code):
        assert (found.template, found.region, found.host) == ("fleet", "us-east-1", "hedgerow.factory.example.com")
        assert (found.mqtt_port, found.https_port) == (8883, 8443)
        assert found.expires_at == datetime.fromtimestamp(NOW + 300, UTC)
        assert (found.certificate.decode(), found.ca.decode()) == (made.certificate_pem, made.ca_pem)
        private: Any = load_pem_private_key(found.private_key, None)
        assert private.private_numbers() == key.private_numbers()  # type: ignore[union-attr]  # both kinds have them


@pytest.mark.slow
def test_a_code_for_the_clouds_rsa_keys_is_one_that_a_phone_can_show() -> None:
    drawn = code(handout("rsa2048").text())

    assert drawn is not None
    assert drawn["size"] <= 145 + 8  # version 32; the quiet zone


def test_what_is_too_long_for_a_code_has_none() -> None:
    assert code(PREFIX + "A" * 4400) is None


def test_a_claim_tells_nobody_its_key() -> None:
    made = handout()

    assert "PRIVATE" not in repr(made)
    assert "BEGIN" not in repr(made)


@given(st.binary(max_size=64))
def test_base45_comes_back(content: bytes) -> None:
    assert handed.base45(base45(content)) == content


def test_base45_is_that_of_the_standard() -> None:
    assert base45(b"Hello!!") == "%69 VD92EX0"  # RFC 9285, section 4.3


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nor is it JSON"),
        ("[]", "it holds no map"),
        ('{"hedgerowClaim": 2}', "version 2"),
        ('{"hedgerowClaim": 1}', "expiresAt is missing"),
        (PREFIX, "the code is not complete"),
        (PREFIX + "ABC", "the code is not complete"),
        (PREFIX + "::::::", "the code is not complete"),
        (PREFIX + "abc", "the code is not complete"),
        ("x" * 70_000, "too long"),
    ],
)
def test_what_is_no_claim_is_refused_in_one_line(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(Unusable, match=why) as caught:
        read(tmp_path, text)

    assert "\n" not in str(caught.value)


def test_a_code_that_was_read_in_part_is_refused(tmp_path: Path) -> None:
    text = handout().text()

    for length in range(len(PREFIX), len(text) - 1, 97):
        with pytest.raises(Unusable):
            read(tmp_path, text[:length])


@pytest.mark.parametrize("name", ["privateKey", "caPem", "endpoint", "mqttPort"])
def test_what_a_file_lacks_is_named(tmp_path: Path, name: str) -> None:
    values = json.loads(handout().file())

    with pytest.raises(Unusable, match=name):
        read(tmp_path, json.dumps({**values, name: None}))


def test_the_edge_gets_files_that_others_cannot_read_and_a_configuration_that_enrols(tmp_path: Path) -> None:
    root = tmp_path / "edge"

    claim = read(tmp_path, handout().text())
    claim.put(root, files=RealFiles())

    found = configuration.read(claim.configuration({"ThingName": "lamp"}), root=root)
    assert found.warnings == ()
    assert found.claim is not None
    assert (found.claim.template, found.claim.parameters) == ("fleet", {"ThingName": "lamp"})
    assert found.claim.private_key == root / "claim" / "claim.key"
    assert found.claim.private_key.stat().st_mode & 0o777 == 0o600
    assert (root / "claim").stat().st_mode & 0o777 == 0o700
    assert found.root_ca.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")


@pytest.mark.parametrize(
    ("name", "why"), [("privateKey", "the private key in it is damaged"), ("certificatePem", "not for")]
)
def test_a_file_whose_key_is_not_its_certificates_is_refused(tmp_path: Path, name: str, why: str) -> None:
    values, other = json.loads(handout().file()), json.loads(handout().file())
    spoilt = other[name] if name == "certificatePem" else other[name][:100]

    with pytest.raises(Unusable, match=why):
        read(tmp_path, json.dumps({**values, name: spoilt}))


def test_a_claim_that_cannot_be_used_here_leaves_nothing_behind(tmp_path: Path) -> None:
    claim, root = tmp_path / "claim.json", tmp_path / "edge"
    claim.write_text(handout().file())

    refused = CliRunner().invoke(app, ["install", f"--root={root}", f"--claim={claim}", "-u", "no-such-user"])
    there = root.exists()
    done = CliRunner().invoke(app, ["install", f"--root={root}", f"--claim={claim}", "--parameter=ThingName=lamp"])

    assert (refused.exit_code, there) == (2, False)
    assert "no user no-such-user" in refused.stderr
    assert done.exit_code == 0, done.output
    found = configuration.read((root / "config" / "config.yaml").read_text(), root=root).claim
    assert found is not None
    assert (found.parameters, found.certificate.is_file()) == ({"ThingName": "lamp"}, True)


def test_an_installer_is_told_of_a_claim_that_is_over(tmp_path: Path) -> None:
    claim = tmp_path / "claim.json"
    claim.write_text(handout(expires_at=1_700_000_000.0).file())

    done = CliRunner().invoke(app, ["install", f"--root={tmp_path / 'edge'}", f"--claim={claim}"])

    assert "2023-11-14 22:13:20 UTC, which is over by the clock of this machine" in done.stdout
