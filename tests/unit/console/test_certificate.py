"""The certificate that the console shows: its files, what can be wrong with them, their renewal. Nothing listens."""

import asyncio
import logging
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from hedgerow.base.errors import Unusable
from hedgerow.console.certificate import Certificate
from hedgerow.console.server import Settings, run
from tests.support.openssl import OpenSsl, Pair


def put(pair: Pair, folder: Path) -> Pair:
    """Put a copy of a pair where the console's is."""
    here = Pair(folder / "server.pem", folder / "server.key")
    here.certificate.write_bytes(pair.certificate.read_bytes())
    here.key.write_bytes(pair.key.read_bytes())
    return here


def shown(certificate: Certificate, *, name: str | None = None) -> str:
    """Answer the common name that a client is shown, with or without naming a server."""
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = anyone.wrap_bio(to_client, to_server, server_hostname=name)
    server = certificate.context.wrap_bio(to_server, to_client, server_side=True)
    for each in (client, server, client, server):
        try:
            each.do_handshake()
        except ssl.SSLWantReadError:
            continue
    found = x509.load_der_x509_certificate(client.getpeercert(binary_form=True) or b"")
    return found.subject.rfc4514_string()


@pytest.fixture
def tool(tmp_path: Path) -> OpenSsl:
    folder = tmp_path / "made"
    folder.mkdir()
    return OpenSsl(folder)


@pytest.mark.parametrize("name", [None, "localhost"])
def test_who_connects_after_a_renewal_is_shown_the_new_one(tool: OpenSsl, tmp_path: Path, name: str | None) -> None:
    here = put(tool.alone("/CN=old"), tmp_path)
    certificate = Certificate(here.certificate, here.key)
    before = shown(certificate, name=name)

    put(tool.alone("/CN=new"), tmp_path)
    asyncio.run(certificate.look())

    assert (before, shown(certificate, name=name)) == ("CN=old", "CN=new")


def test_a_renewal_that_cannot_be_used_changes_nothing_and_is_told_once(
    tool: OpenSsl, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here, new = put(tool.alone("/CN=old"), tmp_path), tool.alone("/CN=new")
    certificate = Certificate(here.certificate, here.key)
    seen = []

    with caplog.at_level(logging.ERROR):
        here.key.write_bytes(new.key.read_bytes())
        for _ in range(3):
            asyncio.run(certificate.look())
        seen.append(shown(certificate))
        here.certificate.unlink()
        asyncio.run(certificate.look())
        seen.append(shown(certificate))
        here.certificate.write_bytes(new.certificate.read_bytes())
        asyncio.run(certificate.look())
        seen.append(shown(certificate))

    assert seen == ["CN=old", "CN=old", "CN=new"]
    assert [record.message for record in caplog.records] == ["the console's certificate was not renewed"] * 2


@pytest.mark.parametrize("wrong", ["missing", "garbage", "of another", "encrypted", "a folder"])
def test_files_that_cannot_be_used_are_named(tool: OpenSsl, tmp_path: Path, wrong: str) -> None:
    here = put(tool.alone("/CN=lamp"), tmp_path)
    if wrong == "missing":
        here.key.unlink()
    elif wrong == "garbage":
        here.certificate.write_text("no certificate")
    elif wrong == "of another":
        here.key.write_bytes(tool.alone("/CN=other").key.read_bytes())
    elif wrong == "encrypted":
        tool.run("ec", "-in", here.key, "-aes256", "-passout", "pass:secret", "-out", here.key)
    else:
        here.certificate.unlink()
        here.certificate.mkdir()

    with pytest.raises(Unusable, match=r"cannot serve TLS with .*server\.pem and .*server\.key: .") as caught:
        Certificate(here.certificate, here.key)

    assert ("encrypted" in str(caught.value)) is (wrong == "encrypted")


@pytest.mark.parametrize(
    ("given", "missing"), [("tls_certificate", "needs --tls-key"), ("tls_key", "needs --tls-certificate")]
)
def test_one_file_without_the_other_is_refused_by_name(tmp_path: Path, given: str, missing: str) -> None:
    settings = Settings(api_url="http://127.0.0.1:1", region="us-east-1", **{given: tmp_path / "file"})  # type: ignore[arg-type]  # the key is one of two

    with pytest.raises(Unusable, match=missing):
        run(settings)
