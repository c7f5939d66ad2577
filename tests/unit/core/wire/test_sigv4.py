from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.base.errors import ServiceError
from hedgerow.core.wire import HttpRequest, sigv4
from hedgerow.core.wire.sigv4 import EMPTY_HASH, UNSIGNED_PAYLOAD

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC).timestamp()
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
PATHS = st.text("abc/%~-_. ü+&=:@,;!$'()*", max_size=20).map(lambda text: "/" + text)


def made(method: str, path: str, query: str = "", headers: dict[str, str] | None = None) -> HttpRequest:
    return HttpRequest(method, path, query, {"host": "cloud.local:8443", **(headers or {})}, b"")


def signed_by_us(http: HttpRequest, *, service: str = "iot", token: str | None = None) -> HttpRequest:
    added = sigv4.sign(
        http, access_key_id="AKID", secret=SECRET, region="eu-central-1", service=service, now=NOW, token=token
    )
    return HttpRequest(http.method, http.path, http.query, {**http.headers, **added}, http.body)


def claimed(http: HttpRequest) -> sigv4.Signed:
    found = sigv4.read_signed(http)
    assert found is not None
    return found


def accepted(http: HttpRequest) -> None:
    signed = claimed(http)
    sigv4.check_time(signed, NOW)
    sigv4.check(signed, http, SECRET, EMPTY_HASH)


def test_the_example_of_the_specification_has_the_signature_of_the_specification() -> None:
    # "get-vanilla" of the SigV4 test suite: 2015-08-30, us-east-1, service "service"
    http = HttpRequest("GET", "/", "", {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"})
    line = (http.method, "/", "")
    request = sigv4.canonical_request(line, dict(http.headers), EMPTY_HASH)
    key = sigv4.signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "service")

    value = sigv4.signature(key, "20150830T123600Z", "20150830/us-east-1/service/aws4_request", request)

    assert value == "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"


@pytest.mark.parametrize(("service", "kind"), [("iot", SigV4Auth), ("s3", S3SigV4Auth)])
@pytest.mark.parametrize("path", ["/", "/things/a%3Ab", "/a%2Fb/c%20d", "/x//y", "/a%25b", "/%C3%BC", "/f/"])
@pytest.mark.parametrize("query", ["", "b=2&a=1", "a=%2F%20x&empty=&flag", "z=1&z=0"])
def test_what_botocore_signs_is_accepted(service: str, kind: type, path: str, query: str) -> None:
    request = AWSRequest("POST", f"https://cloud.local:8443{path}?{query}", data=b"{}")
    request.headers["Content-Type"] = "application/json"
    kind(Credentials("AKID", SECRET, "token"), service, "eu-central-1").add_auth(request)
    headers = {name.lower(): value for name, value in request.headers.items()} | {"host": "cloud.local:8443"}
    http = HttpRequest("POST", path, query, headers, b"{}")
    payload = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

    sigv4.check(claimed(http), http, SECRET, payload)

    assert claimed(http).token == "token"


@pytest.mark.parametrize("path", ["/things/a%3Ab", "/x//y"])
def test_what_botocore_presigns_is_accepted(path: str) -> None:
    request = AWSRequest("GET", f"https://cloud.local:8443{path}?a=b%20c")
    SigV4QueryAuth(Credentials("AKID", SECRET, "to/ken="), "iot", "eu-central-1", expires=60).add_auth(request)
    url = urlsplit(str(request.url))
    http = made("GET", url.path, url.query)

    sigv4.check(claimed(http), http, SECRET, EMPTY_HASH)

    assert (claimed(http).token, claimed(http).expires_s) == ("to/ken=", 60)


@pytest.mark.slow
@given(PATHS, st.sampled_from(["iot", "s3"]))
def test_what_we_sign_we_accept(path: str, service: str) -> None:
    http = signed_by_us(made("GET", path, "q=1"), service=service)

    sigv4.check(claimed(http), http, SECRET, EMPTY_HASH)


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "DELETE"},
        {"path": "/things/other"},
        {"query": "a=2"},
        {"host": "other.local"},
        {"x-amz-date": "20261121T100001Z"},
        {"x-amz-security-token": "other"},
        {"x-amz-target": "Other.Operation"},
    ],
)
def test_a_changed_part_breaks_the_signature(changed: dict[str, str]) -> None:
    http = signed_by_us(made("GET", "/things/lamp", "a=1"), token="token")
    headers = {**http.headers, **{key: value for key, value in changed.items() if "-" in key or key == "host"}}
    other = HttpRequest(
        changed.get("method", http.method), changed.get("path", http.path), changed.get("query", http.query), headers
    )

    with pytest.raises(sigv4.SignatureInvalid):
        sigv4.check(claimed(other), other, SECRET, EMPTY_HASH)


@pytest.mark.parametrize("path", ["/topics/a/../b", "/topics/./b", "/topics/b/."])
def test_a_signature_does_not_serve_for_a_path_that_walks_to_the_same_place(path: str) -> None:
    http = signed_by_us(made("POST", "/topics/b"))
    other = HttpRequest(http.method, path, http.query, http.headers)

    with pytest.raises(sigv4.SignatureInvalid):
        sigv4.check(claimed(other), other, SECRET, EMPTY_HASH)


def test_another_payload_breaks_the_signature() -> None:
    http = signed_by_us(made("GET", "/"))

    with pytest.raises(sigv4.SignatureInvalid):
        sigv4.check(claimed(http), http, SECRET, UNSIGNED_PAYLOAD)


@pytest.mark.parametrize("away_s", [-899, 0, 899])
def test_a_quarter_of_an_hour_of_difference_is_allowed(away_s: float) -> None:
    sigv4.check_time(claimed(signed_by_us(made("GET", "/"))), NOW + away_s)


@pytest.mark.parametrize("away_s", [-901, 901, 86_400 * 365])
def test_more_than_a_quarter_of_an_hour_is_too_much(away_s: float) -> None:
    with pytest.raises(sigv4.TooSkewed, match="15 min"):
        sigv4.check_time(claimed(signed_by_us(made("GET", "/"))), NOW + away_s)


def test_a_presigned_request_ends_when_it_says() -> None:
    query = sigv4.presign(
        made("GET", "/b/k"), access_key_id="A", secret="s", region="r", service="s3", now=NOW, expires_s=3600
    )
    signed = claimed(made("GET", "/b/k", query))

    sigv4.check_time(signed, NOW + 3599)
    with pytest.raises(ServiceError, match="Request has expired"):
        sigv4.check_time(signed, NOW + 3601)


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=A/20261121/r/s/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=A/20261121/r, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=A/20261121/r/s/aws4, SignedHeaders=host, Signature=0",
        "AWS4-ECDSA-P256-SHA256 Credential=A, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=A/20261121/r/s/aws4_request, SignedHeaders=host, Signature=0",  # no date
    ],
)
def test_an_authorization_that_is_not_whole_is_refused(authorization: str) -> None:
    with pytest.raises(sigv4.Incomplete):
        sigv4.read_signed(made("GET", "/", headers={"authorization": authorization}))


@pytest.mark.slow
@given(st.text(max_size=80))
def test_no_authorization_header_does_more_than_be_refused(text: str) -> None:
    http = made("GET", "/", headers={"authorization": "AWS4-HMAC-SHA256 " + text, "x-amz-date": "20261121T100000Z"})

    with pytest.raises(ServiceError):
        accepted(http)


@pytest.mark.parametrize("missing", ["X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Algorithm"])
def test_a_presigned_query_that_is_not_whole_is_refused(missing: str) -> None:
    query = sigv4.presign(
        made("GET", "/"), access_key_id="A", secret="s", region="r", service="s3", now=NOW, expires_s=60
    )
    parts = "&".join(part for part in query.split("&") if not part.startswith(missing))

    with pytest.raises(sigv4.Incomplete, match=missing):
        sigv4.read_signed(made("GET", "/", parts))


@pytest.mark.parametrize("expires", ["\u00b2", "0", "-1", "604801"])
def test_a_presigned_query_ends_after_a_plain_number_of_seconds(expires: str) -> None:
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A/20150830/us-east-1/iot/aws4_request"
        "&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Signature=0"
    )

    with pytest.raises(sigv4.Incomplete):
        sigv4.read_signed(made("GET", "/things", f"{query}&X-Amz-Expires={quote(expires)}"))


def test_a_signature_of_other_letters_is_a_wrong_one() -> None:
    http = signed_by_us(made("GET", "/things"))

    with pytest.raises(sigv4.SignatureInvalid):
        sigv4.check(replace(claimed(http), signature="\u00e9"), http, "secret", sigv4.EMPTY_HASH)


def test_other_authorization_is_no_signature() -> None:
    assert sigv4.read_signed(made("GET", "/", headers={"authorization": "Bearer x"})) is None


@pytest.mark.parametrize("host", ["cloud.local:8443", "cloud.local", "cloud.local:443"])
@pytest.mark.parametrize("token_signed", [True, False])
def test_an_upgrade_may_leave_the_token_and_the_port_out_of_the_signature(host: str, token_signed: bool) -> None:
    http = HttpRequest("GET", "/mqtt", "", {"host": host})
    query = sigv4.presign(
        http,
        access_key_id="A",
        secret=SECRET,
        region="r",
        service="iotdevicegateway",
        now=NOW,
        expires_s=60,
        token="to/ken" if token_signed else None,
    )
    sent = made("GET", "/mqtt", query if token_signed else f"{query}&X-Amz-Security-Token=to%2Fken")

    sigv4.check_upgrade(claimed(sent), sent, SECRET)

    assert claimed(sent).token == "to/ken"
    with pytest.raises(sigv4.SignatureInvalid):
        sigv4.check_upgrade(claimed(sent), sent, "other")
