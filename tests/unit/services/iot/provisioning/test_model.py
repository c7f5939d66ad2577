from hypothesis import given
from hypothesis import strategies as st

from hedgerow.services.iot.provisioning import Tokens

ACCOUNT = "123456789012"
IDS = st.binary(min_size=32, max_size=32).map(bytes.hex)


@given(IDS, st.floats(0, 4e9))
def test_a_token_opens_for_an_hour_in_its_account_under_its_key(certificate_id: str, now: float) -> None:
    token = Tokens(b"k" * 32).seal(ACCOUNT, certificate_id, now=now)

    assert len(token) <= 512
    assert Tokens(b"k" * 32).maybe_open(token, ACCOUNT, now=now + 3599) == certificate_id
    assert Tokens(b"k" * 32).maybe_open(token, ACCOUNT, now=now + 3601) is None
    assert Tokens(b"k" * 32).maybe_open(token, "210987654321", now=now) is None
    assert Tokens(b"o" * 32).maybe_open(token, ACCOUNT, now=now) is None


@given(IDS, st.data())
def test_a_token_that_was_changed_anywhere_does_not_open(certificate_id: str, data: st.DataObject) -> None:
    tokens = Tokens(b"k" * 32)
    token = tokens.seal(ACCOUNT, certificate_id, now=0)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCabc012-_ü=").filter(lambda c: c != token[place]))

    assert tokens.maybe_open(token[:place] + other + token[place + 1 :], ACCOUNT, now=0) is None


def test_a_token_has_one_spelling() -> None:
    tokens = Tokens(b"k" * 32)
    token = tokens.seal(ACCOUNT, "fb" * 32, now=0)
    last = [token[:-1] + character for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if character != token[-1]]

    for other in (*last, token + "=", token + "==", token.replace("-", "+").replace("_", "/")):
        assert tokens.maybe_open(other, ACCOUNT, now=0) is None


@given(st.text(max_size=200))
def test_any_text_is_no_token(text: str) -> None:
    assert Tokens(b"k" * 32).maybe_open(text, ACCOUNT, now=0) is None
