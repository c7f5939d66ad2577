"""Identity tokens: what is signed by the provider is read, and nothing else is."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.jwt import (
    BadSignature,
    Early,
    Expired,
    InvalidToken,
    UnknownKey,
    UnusableKeys,
    check_times,
    read_claims,
    read_keys,
    read_token,
    verify,
)
from hedgerow.core.jwt.encoding import from_base64url, to_base64url
from tests.support.provider import Private, ec_key, jwk, key_set, rsa_key, signed

NOW = 1_800_000_000
CLAIMS = {"iss": "https://id.example.org", "sub": "ann", "aud": "app", "iat": NOW, "exp": NOW + 300}
KEYS = read_keys(key_set(jwk(rsa_key())))
GOOD = signed(CLAIMS)


def raw(claims: bytes) -> str:
    """Answer a token whose claims are these bytes."""
    return f"{part({'alg': 'RS256'})}.{to_base64url(claims)}.AA"


def part(value: object) -> str:
    return to_base64url(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        *((f"{family}{size}", rsa_key()) for family in ("RS", "PS") for size in (256, 384, 512)),
        ("ES256", ec_key("P-256")),
        ("ES384", ec_key("P-384")),
        ("ES512", ec_key("P-521")),
    ],
)
def test_what_the_providers_key_signed_is_believed(algorithm: str, key: Private) -> None:
    token = read_token(signed(CLAIMS, key, algorithm))

    verify(token, read_keys(key_set(jwk(key))))

    assert token.claims == CLAIMS


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_token_that_was_changed_in_any_part_is_not_believed(place: int) -> None:
    parts = GOOD.split(".")
    other = signed({**CLAIMS, "sub": "root"}, rsa_key(2), "RS384").split(".")
    parts[place] = other[place]

    with pytest.raises(BadSignature):
        verify(read_token(".".join(parts)), KEYS)


def test_no_signature_is_no_token() -> None:
    body = part(CLAIMS)

    for algorithm in ("none", "None", "NONE", "nOnE", "", None, 1, ["RS256"], "HS256", "HS512", "RS1", "EdDSA"):
        with pytest.raises(InvalidToken, match="algorithm"):
            read_token(f"{part({'alg': algorithm, 'kid': 'one'})}.{body}.")


def test_the_public_key_is_no_secret_to_sign_with() -> None:
    pem = (
        rsa_key().public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    body = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(CLAIMS)}"
    made = to_base64url(hmac.new(pem, body.encode(), hashlib.sha256).digest())

    with pytest.raises(InvalidToken):
        read_token(f"{body}.{made}")


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
def test_a_token_does_not_bring_its_own_key(member: str) -> None:
    value: Any = jwk(rsa_key(2)) if member == "jwk" else "https://evil.example.org/keys"
    token = read_token(signed(CLAIMS, rsa_key(2), **{member: value}))

    with pytest.raises(BadSignature):
        verify(token, KEYS)


def test_a_key_is_found_by_its_name_or_tried_when_the_token_names_none() -> None:
    keys = read_keys(key_set(jwk(rsa_key(2), "two"), jwk(rsa_key(), "one")))

    verify(read_token(GOOD), keys)
    verify(read_token(signed(CLAIMS, kid=None)), keys)
    with pytest.raises(UnknownKey):
        verify(read_token(signed(CLAIMS, kid="three")), keys)
    with pytest.raises(BadSignature):
        verify(read_token(signed(CLAIMS, kid="two")), keys)


def test_a_key_is_used_for_its_own_algorithm_and_curve_alone() -> None:
    only = read_keys(key_set(jwk(rsa_key(), alg="RS512")))
    curve = read_keys(key_set(jwk(ec_key("P-384"))))

    with pytest.raises(BadSignature):
        verify(read_token(GOOD), only)
    with pytest.raises(BadSignature):
        verify(read_token(signed(CLAIMS, ec_key("P-256"), "ES256")), curve)
    with pytest.raises(BadSignature):
        verify(read_token(signed(CLAIMS, ec_key("P-256"), "ES256")), KEYS)


def test_keys_that_are_weak_or_for_something_else_are_passed_over() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    useless: list[dict[str, Any]] = [
        jwk(weak),
        jwk(rsa_key(), use="enc"),
        jwk(rsa_key(), key_ops=["encrypt"]),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "one"},
        {**jwk(ec_key()), "y": jwk(ec_key())["x"]},
        {**jwk(rsa_key()), "e": "AQ"},
        {"kty": "RSA"},
        {},
    ]

    with pytest.raises(UnusableKeys, match="no key that can be used"):
        read_keys(key_set(*useless))
    assert len(read_keys(key_set(*useless, jwk(rsa_key())))) == 1


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [1]}', b"\xff", b'{"keys": []}', key_set(*[{}] * 101)]
)
def test_what_is_no_key_set_is_refused(data: bytes) -> None:
    with pytest.raises(UnusableKeys):
        read_keys(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        GOOD + "=",
        GOOD + ".",
        GOOD.replace(".", " . "),
        "\n" + GOOD,
        GOOD + "\u00e9",
        "x" * 20_001,
        f"{to_base64url(b'[]')}.{part(CLAIMS)}.AA",
        f"{to_base64url(b'null')}.{part(CLAIMS)}.AA",
        f"{to_base64url(bytes([0xFF]))}.{part(CLAIMS)}.AA",
        f"{part({'alg': 'RS256', 'crit': ['b64'], 'b64': False})}.{part(CLAIMS)}.AA",
        f"{part({'alg': 'RS256', 'kid': 1})}.{part(CLAIMS)}.AA",
        raw(b'{"sub": "a", "sub": "b"}'),
        raw(b'{"exp": NaN}'),
        raw(b"[" * 5000),
        raw(b'{"a":' * 30 + b"1" + b"}" * 30),
    ],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        read_token(text)


def test_bits_that_say_nothing_are_refused() -> None:
    assert from_base64url("QQ") == b"A"
    with pytest.raises(InvalidToken):
        from_base64url("QR")


@given(st.text(max_size=300) | st.builds(".".join, st.lists(st.binary(max_size=60).map(to_base64url), max_size=4)))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    try:
        token = read_token(text)
    except InvalidToken:
        return
    with pytest.raises(BadSignature):
        verify(token, KEYS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
NAMES = st.sampled_from(["iss", "sub", "aud", "azp", "amr", "iat", "exp", "nbf"])


@given(st.dictionaries(NAMES, JSON))
def test_any_claims_are_read_or_refused(claims: dict[str, Any]) -> None:
    try:
        found = read_claims(claims)
    except InvalidToken:
        return
    assert (found.issuer, found.subject) == (claims["iss"], claims["sub"])


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps({"keys": [value]}).encode()))
def test_any_bytes_are_a_key_set_or_refused(data: bytes) -> None:
    with pytest.raises(UnusableKeys):
        read_keys(data)


@given(st.binary(max_size=100))
def test_base64url_is_read_as_it_was_written(data: bytes) -> None:
    assert from_base64url(to_base64url(data)) == data
    assert to_base64url(data) == base64.urlsafe_b64encode(data).decode().rstrip("=")


@given(st.integers(min_value=0, max_value=len(GOOD) - 1), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_token_with_another_character_anywhere_is_refused(place: int, character: str) -> None:
    changed = GOOD[:place] + character + GOOD[place + 1 :]

    if changed != GOOD:
        with pytest.raises(InvalidToken):
            verify(read_token(changed), KEYS)


@pytest.mark.parametrize("missing", ["iss", "sub", "aud", "iat", "exp"])
def test_a_claim_that_is_missing_is_named(missing: str) -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != missing}

    with pytest.raises(InvalidToken, match=f"Missing a required claim: {missing}"):
        read_claims(claims)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exp", "1800000000"),
        ("exp", True),
        ("exp", -1),
        ("exp", 10**400),
        ("exp", 1e300),
        ("iat", None),
        ("nbf", []),
        ("aud", {"a": 1}),
        ("aud", [1]),
        ("aud", [""]),
        ("aud", []),
        ("sub", "x" * 256),
        ("sub", 1),
        ("azp", ["app"]),
        ("amr", 1),
    ],
)
def test_claims_of_another_type_are_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidToken):
        read_claims({**CLAIMS, name: value})


@pytest.mark.parametrize(("now", "right"), [(NOW - 61, False), (NOW - 60, True), (NOW + 299, True), (NOW + 300, False)])
def test_a_token_is_good_from_shortly_before_its_issue_to_its_end(now: int, right: bool) -> None:
    claims = read_claims(CLAIMS)

    if right:
        check_times(claims, now)
    else:
        with pytest.raises(Early if now < NOW else Expired):
            check_times(claims, now)


def test_a_token_is_not_good_before_it_says_so() -> None:
    with pytest.raises(Early):
        check_times(read_claims({**CLAIMS, "nbf": NOW + 120}), NOW)


@pytest.mark.parametrize(
    ("claims", "client"),
    [
        ({"aud": "app"}, "app"),
        ({"aud": "other"}, None),
        ({"aud": ["other", "app"]}, "app"),
        ({"aud": "app", "azp": "app"}, "app"),
        ({"aud": ["app", "other"], "azp": "other"}, None),
        ({"aud": "api", "azp": "app"}, "app"),
    ],
)
def test_a_token_is_for_its_audience_or_for_the_party_that_it_names(claims: dict[str, Any], client: str | None) -> None:
    assert read_claims({**CLAIMS, **claims}).audience(frozenset({"app"})) == client
