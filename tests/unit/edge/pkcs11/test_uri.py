import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.edge.pkcs11.uri import CERTIFICATE, NoUri, Pkcs11Uri, place_of

LABELS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(object=LABELS, id=st.binary(max_size=20), token=st.one_of(st.just(""), LABELS))
def test_a_name_is_read_as_it_was_written(object: str, id: bytes, token: str) -> None:  # noqa: A002
    uri = Pkcs11Uri(object=object, id=id, token=token)

    assert place_of(str(uri)) == uri


def test_the_nucleus_form_is_read() -> None:
    assert Pkcs11Uri.of("pkcs11:object=iotdevicekey;type=private") == Pkcs11Uri(object="iotdevicekey")
    assert Pkcs11Uri.of("pkcs11:object=c;type=cert", type=CERTIFICATE) == Pkcs11Uri(object="c", type="cert")
    assert Pkcs11Uri.of("pkcs11:object=a%20b;id=%01%FF").id == b"\x01\xff"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pkcs11:type=private", "object=LABEL is missing"),
        ("pkcs11:object=k;type=cert", "must have type=private, not type=cert"),
        ("pkcs11:object=k;object=l", "object is there twice"),
        ("pkcs11:object=k;slot-id=4", "slot-id is not one of"),
        ("pkcs11:object=%FF", "must be UTF-8"),
        ("pkcs11:object=k?pin-value=4711", "the PIN is userPin"),
    ],
)
def test_what_names_no_key_is_refused_without_telling_a_pin(text: str, words: str) -> None:
    with pytest.raises(NoUri, match=words) as raised:
        Pkcs11Uri.of(text)

    assert "4711" not in str(raised.value)
