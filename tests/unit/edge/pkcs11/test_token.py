"""Tokens as SoftHSM makes them; pkcs11-tool says what is in them."""

import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hedgerow.edge.identity import fits, request_for
from hedgerow.edge.pkcs11 import cryptoki
from hedgerow.edge.pkcs11.cryptoki import CryptokiError, Library, TokenInfo
from hedgerow.edge.pkcs11.token import Token
from hedgerow.edge.pkcs11.uri import CERTIFICATE, Pkcs11Uri
from hedgerow.edge.trouble import Trouble
from tests.support.softhsm import PIN, SoftToken
from tests.unit.edge.pki import Pki

KEY = Pkcs11Uri(object="key")


def failing(settings: object) -> str:
    """Answer why a token with these settings cannot be used."""
    token = Token(settings)  # type: ignore[arg-type]  # a TokenSettings, by replace
    try:
        with pytest.raises(Trouble) as raised:
            token.check()
    finally:
        token.close()
    return str(raised.value)


@pytest.mark.spec("AL-50")
def test_a_key_is_made_once_and_cannot_be_read(token: Token, soft: SoftToken) -> None:
    assert token.maybe_key(KEY) is None

    made = token.made(KEY)

    assert token.key(KEY).public_key() == made.public_key()
    assert isinstance(made.public_key(), ec.EllipticCurvePublicKey)
    assert "sensitive, always sensitive, never extractable, local" in soft.tool("--list-objects", "--type", "privkey")
    assert soft.labels("pubkey") == ["key"]


@pytest.mark.parametrize("kind", ["EC:prime256v1", "EC:secp384r1", "rsa:2048"])
def test_a_request_is_signed_by_a_key_that_others_made(token: Token, soft: SoftToken, pki: Pki, kind: str) -> None:
    soft.tool("--keypairgen", "--key-type", kind, "--label", "key", "--id", "07")
    key = token.key(KEY)

    request = x509.load_pem_x509_csr(request_for(key).encode())

    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=Hedgerow edge"
    assert fits(pki.device.sign_request(request_for(key)), key)


def test_a_key_is_removed_with_both_halves_and_others_stay(token: Token, soft: SoftToken) -> None:
    token.made(KEY)
    token.made(KEY.beside("2"))

    token.remove(KEY)
    token.remove(KEY)

    assert soft.labels("privkey") == soft.labels("pubkey") == ["key-2"]


def test_a_key_of_the_same_name_that_others_made_is_not_removed(token: Token, soft: SoftToken) -> None:
    token.made(KEY)
    soft.tool("--keypairgen", "--key-type", "EC:prime256v1", "--label", "key", "--id", "07")

    token.remove(KEY)

    assert token.key(KEY).uri == KEY  # there is one of this name
    assert re.findall(r"ID: +(\w+)", soft.tool("--list-objects", "--type", "privkey")) == ["07"]


def test_a_public_half_that_a_cut_left_alone_gives_way(token: Token, soft: SoftToken) -> None:
    token.made(KEY)
    soft.tool("--delete-object", "--type", "privkey", "--label", "key")

    made = token.made(KEY)

    assert token.key(KEY).public_key() == made.public_key()
    assert soft.labels("pubkey") == ["key"]


def test_a_key_fits_its_own_public_half_only(token: Token) -> None:
    one, other = token.made(KEY), token.made(KEY.beside("2"))

    assert one.fits(one.public_key())
    assert not one.fits(other.public_key())


def test_a_certificate_is_read(token: Token, soft: SoftToken, pki: Pki, tmp_path: Path) -> None:
    der = tmp_path / "c.der"
    der.write_bytes(pki.server.certificate.public_bytes(serialization.Encoding.DER))
    soft.tool("--write-object", str(der), "--type", "cert", "--label", "c")

    assert token.certificate(Pkcs11Uri(object="c", type=CERTIFICATE)) == pki.server.pem
    with pytest.raises(Trouble, match="has no certificate pkcs11:object=d;type=cert"):
        token.certificate(Pkcs11Uri(object="d", type=CERTIFICATE))


def test_what_is_not_there_or_there_twice_is_named(token: Token, soft: SoftToken) -> None:
    for number in ("01", "02"):
        soft.tool("--keypairgen", "--key-type", "EC:prime256v1", "--label", "key", "--id", number)

    with pytest.raises(Trouble, match="more than once; add its id"):
        token.key(KEY)
    with pytest.raises(Trouble, match="has no private key pkcs11:object=none;type=private; make it there"):
        token.key(Pkcs11Uri(object="none"))
    with pytest.raises(Trouble, match="called 'edge', but pkcs11:object=key;token=other;type=private is of another"):
        token.key(replace(KEY, token="other"))
    assert token.key(replace(KEY, id=b"\2", token="edge")).uri.id == b"\2"


def test_a_key_without_its_public_half_is_named(token: Token, soft: SoftToken) -> None:
    soft.tool("--keypairgen", "--key-type", "EC:prime256v1", "--label", "key", "--id", "01")
    soft.tool("--delete-object", "--type", "pubkey", "--label", "key")

    with pytest.raises(Trouble, match="without its public half; import that too"):
        token.key(KEY)


def test_each_wrong_setting_has_its_own_words(soft: SoftToken, tmp_path: Path) -> None:
    settings = soft.settings
    text = tmp_path / "text.so"
    text.write_text("none")

    assert "there is no PKCS#11 library /none.so; correct" in failing(replace(settings, library=Path("/none.so")))
    assert f"cannot use the PKCS#11 library {text}" in failing(replace(settings, library=text))
    assert f"slot 77 holds no token; there are tokens in {soft.slot} (edge)" in failing(replace(settings, slot=77))
    assert "is not initialised" in failing(replace(settings, slot=1))
    assert "does not take the PIN; correct services." in failing(replace(settings, user_pin="0000"))


def test_a_pin_that_was_refused_is_not_tried_again(soft: SoftToken, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []
    login = Library.login

    def counted(library: Library, session: int, pin: str) -> None:
        tries.append(pin)
        login(library, session, pin)

    monkeypatch.setattr(Library, "login", counted)
    token = Token(replace(soft.settings, user_pin="0000"))

    for _ in range(3):
        with pytest.raises(Trouble, match="does not take the PIN"):
            token.check()
    token.close()

    assert tries == ["0000"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0xA2, "takes no PIN of that length"),
        (0xA3, "wants a new user PIN"),
        (0xA4, "is locked after too many wrong PINs"),
        (0x102, "has no user PIN yet"),
        (0x30, "failed: C_Login answered DEVICE_ERROR"),
        (0x80000001, "failed: C_Login answered 0x80000001"),
    ],
)
def test_what_a_token_answers_to_a_pin_is_put_in_words(
    soft: SoftToken, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    def refused(*_: object) -> None:
        raise CryptokiError("C_Login", code)

    monkeypatch.setattr(Library, "login", refused)

    assert words in failing(soft.settings)


@pytest.mark.parametrize(
    ("flag", "words"),
    [(cryptoki.PIN_FINAL_TRY, "would be locked by one more wrong PIN"), (cryptoki.PIN_LOCKED, "is locked after too")],
)
def test_a_token_that_one_more_wrong_pin_would_lock_gets_none(
    soft: SoftToken, monkeypatch: pytest.MonkeyPatch, flag: int, words: str
) -> None:
    info = TokenInfo(label="edge", flags=cryptoki.TOKEN_INITIALIZED | flag)
    monkeypatch.setattr(Library, "token", lambda *_: info)
    monkeypatch.setattr(Library, "login", lambda *_: pytest.fail("it was tried"))

    assert words in failing(soft.settings)


def test_a_session_that_the_token_lost_is_opened_again(token: Token) -> None:
    made = token.made(KEY)
    assert token._library is not None
    assert token._session is not None
    token._library.close_session(token._session)

    assert made.fits(made.public_key())


def test_a_library_that_was_ended_is_begun_again(token: Token) -> None:
    made = token.made(KEY)
    assert token._library is not None
    token._library.close()

    assert made.fits(made.public_key())


def test_a_token_that_keeps_failing_is_said_to(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    token.made(KEY)

    def removed(*_: object) -> bytes:
        raise CryptokiError("C_Sign", 0x32)

    monkeypatch.setattr(Library, "sign", removed)

    with pytest.raises(Trouble, match=r"holds no token; there are tokens in \d+ \(edge\)"):
        token.sign(KEY, cryptoki.ECDSA, b"\0" * 32)


def test_the_pin_is_not_shown(soft: SoftToken) -> None:
    assert PIN not in repr(soft.settings)


def test_an_rsa_key_fits_its_public_half(token: Token, soft: SoftToken) -> None:
    soft.tool("--keypairgen", "--key-type", "rsa:2048", "--label", "key")
    key = token.key(KEY)

    public = key.public_key()

    assert isinstance(public, rsa.RSAPublicKey)
    assert key.fits(public)
    assert not key.fits(rsa.generate_private_key(65537, 2048).public_key())


def test_a_library_that_hangs_costs_a_deadline(soft: SoftToken, monkeypatch: pytest.MonkeyPatch) -> None:
    token, back = Token(soft.settings, within_s=5), threading.Event()
    made = token.made(KEY)
    token._worker._within = 0.05
    monkeypatch.setattr(Library, "sign", lambda *_: back.wait(30))

    with pytest.raises(Trouble, match=f"the token test in slot {soft.slot} does not answer within"):
        made.fits(made.public_key())
    with pytest.raises(Trouble, match="does not answer"):
        token.check()
    back.set()
    token.close()
