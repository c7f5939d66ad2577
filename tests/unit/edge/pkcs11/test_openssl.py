"""TLS with a key that stays in its token: real handshakes with a listener that demands a certificate."""

import gc
import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from hedgerow.edge import tls
from hedgerow.edge.pkcs11 import openssl
from hedgerow.edge.pkcs11.cryptoki import CryptokiError, Library
from hedgerow.edge.pkcs11.token import Token, TokenKey
from hedgerow.edge.pkcs11.uri import Pkcs11Uri
from hedgerow.edge.trouble import Trouble
from tests.support.softhsm import SoftToken
from tests.unit.edge.pki import Pki

KEY = Pkcs11Uri(object="key")


def certificate_for(key: TokenKey, pki: Pki, folder: Path) -> Path:
    path = folder / "device.crt"
    path.write_bytes(pki.device.signed(key.public_key(), "device").public_bytes(serialization.Encoding.PEM))
    return path


def shaken(context: ssl.SSLContext, pki: Pki) -> str:
    """Do a handshake and answer the name that the listener saw."""
    here, there = socket.socketpair()
    names: list[str] = []
    listener = pki.listener()

    def serve() -> None:
        with there, listener.wrap_socket(there, server_side=True) as peer:
            certificate = peer.getpeercert()
            assert certificate is not None
            names.append(str(dict(part[0] for part in certificate["subject"])["commonName"]))  # type: ignore[misc]  # typeshed's union
            peer.send(b"!")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with here, context.wrap_socket(here, server_hostname="localhost") as client:
            assert client.recv(1) == b"!"
    finally:
        thread.join(20)
    return names[0]


def shaken_in_memory(context: ssl.SSLContext, pki: Pki) -> None:
    """Do a handshake in this thread."""
    here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = pki.listener().wrap_bio(here, there, server_side=True)
    client = context.wrap_bio(there, here, server_hostname="localhost")
    for side in (client, server) * 4:
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kind", ["EC:prime256v1", "EC:secp384r1", "rsa:2048"])
def test_the_listener_sees_the_certificate_of_a_key_in_the_token(
    token: Token, soft: SoftToken, pki: Pki, tmp_path: Path, kind: str, version: ssl.TLSVersion
) -> None:
    soft.tool("--keypairgen", "--key-type", kind, "--label", "key")
    certificate = certificate_for(token.key(KEY), pki, tmp_path)

    context = tls.mutual(root_ca=pki.root_ca, certificate=certificate, private_key=KEY, token=token)
    context.minimum_version = context.maximum_version = version

    assert shaken(context, pki) == "device"
    assert shaken(context, pki) == "device"


def test_a_context_outlives_who_made_it(soft: SoftToken, pki: Pki, tmp_path: Path) -> None:
    def made() -> ssl.SSLContext:
        token = Token(soft.settings)
        certificate = certificate_for(token.made(KEY), pki, tmp_path)
        return tls.mutual(root_ca=pki.root_ca, certificate=certificate, private_key=KEY, token=token)

    context = made()
    gc.collect()

    assert shaken(context, pki) == "device"


def test_a_key_that_is_not_the_certificates_is_named(token: Token, pki: Pki, tmp_path: Path) -> None:
    certificate = certificate_for(token.made(KEY), pki, tmp_path)
    other = KEY.beside("2")
    token.made(other)

    with pytest.raises(Trouble, match=r"the key pkcs11:object=key-2;type=private does not fit the certificate .*crt"):
        tls.mutual(root_ca=pki.root_ca, certificate=certificate, private_key=other, token=token)


def test_a_key_of_another_kind_is_named(token: Token, soft: SoftToken, pki: Pki, tmp_path: Path) -> None:
    certificate = certificate_for(token.made(KEY), pki, tmp_path)
    soft.tool("--keypairgen", "--key-type", "rsa:2048", "--label", "rsa")

    with pytest.raises(Trouble, match="rsa;type=private is of another kind than its certificate's key"):
        tls.mutual(root_ca=pki.root_ca, certificate=certificate, private_key=Pkcs11Uri(object="rsa"), token=token)


def test_a_token_that_fails_in_the_handshake_fails_it_and_no_more(
    token: Token, pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certificate_for(token.made(KEY), pki, tmp_path)
    context = tls.mutual(root_ca=pki.root_ca, certificate=certificate, private_key=KEY, token=token)
    sign = Library.sign

    def gone(*_: object) -> bytes:
        raise CryptokiError("C_Sign", 0x32)

    monkeypatch.setattr(Library, "sign", gone)

    with pytest.raises(ssl.SSLError) as raised:
        shaken_in_memory(context, pki)
    assert not isinstance(raised.value, ssl.SSLWantReadError)
    monkeypatch.setattr(Library, "sign", sign)
    again = tls.mutual(root_ca=pki.root_ca, certificate=certificate, private_key=KEY, token=token)
    assert shaken(again, pki) == "device"


def test_a_python_that_is_not_known_is_refused_by_name(
    token: Token, pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certificate_for(token.made(KEY), pki, tmp_path)
    monkeypatch.setattr(openssl, "NEWEST", (3, 10))
    openssl._openssl.cache_clear()

    with pytest.raises(Trouble, match="keys in a token cannot be used with this Python"):
        tls.mutual(root_ca=pki.root_ca, certificate=certificate, private_key=KEY, token=token)
    openssl._openssl.cache_clear()


def test_a_key_in_a_token_that_is_not_configured_is_named(pki: Pki) -> None:
    with pytest.raises(Trouble, match=r"stands in a token, but services\.aws\.greengrass\.crypto\.Pkcs11Provider"):
        tls.mutual(root_ca=pki.root_ca, certificate=pki.claim[0], private_key=KEY)
