"""AWS Signature Version 4: making signatures, and checking those of others. Pure: time and secrets are arguments.

Forms: the Authorization header, the presigned query, and the WebSocket upgrade of AWS IoT, whose security token is
outside the signature [iot-core-connect 1.4]. Bodies in signed pieces are in `chunked`.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from hedgerow.base.errors import ServiceError
from hedgerow.core.wire.errors import WireError
from hedgerow.core.wire.messages import HttpRequest

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_HASH = hashlib.sha256(b"").hexdigest()
SKEW_S = 15 * 60
LONGEST_EXPIRES_S = 7 * 24 * 3600
_AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256\s+(.*)", re.DOTALL)
_SPACES = re.compile(" +")
_DOTS = frozenset({".", ".."})
_MAY_BE_UNSIGNED = frozenset({"x-amz-user-agent"})
_TOKEN = "X-Amz-Security-Token"  # noqa: S105 - a parameter's name


class SignatureInvalid(ServiceError):
    """The signature is not the one that the caller's secret gives."""

    code = "InvalidSignatureException"
    status = 403


class Incomplete(ServiceError):
    """A part of the signature is missing or has no proper form."""

    code = "IncompleteSignatureException"
    status = 400


class TooSkewed(ServiceError):
    """The request was signed at a time that is too far from ours. S3 alone has a name of its own for it."""

    code = "RequestTimeTooSkewed"
    status = 403

    def __init__(self, stamp: str, now: float, *, late: bool) -> None:
        ours = _stamp(now)
        if late:
            words = f"Signature expired: {stamp} is now earlier than {_stamp(now - SKEW_S)} ({ours} - 15 min.)"
        else:
            words = f"Signature not yet current: {stamp} is still later than {_stamp(now + SKEW_S)} ({ours} + 15 min.)"
        super().__init__(words, RequestTime=stamp, ServerTime=ours, MaxAllowedSkewMilliseconds=str(SKEW_S * 1000))


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%dT%H%M%SZ")


class Expired(ServiceError):
    """A presigned request came after its time, or temporary credentials have ended."""

    code = "ExpiredTokenException"
    status = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """The scope of a signature: whose, on which day, for which region and service."""

    access_key_id: str
    date: str
    region: str
    service: str

    @property
    def scope(self) -> str:
        """`20261121/eu-central-1/iot/aws4_request`."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What a request says about its signature, not yet believed."""

    credential: Credential
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str  # YYYYMMDDTHHMMSSZ
    expires_s: int | None = None  # of a presigned request
    token: str | None = None
    presigned: bool = False


@lru_cache(maxsize=1024)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """Answer the key of a day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def read_signed(http: HttpRequest) -> Signed | None:
    """Answer what is said about the signature, None where a request has none; raise Incomplete."""
    authorization = http.headers.get("authorization")
    if authorization is not None and authorization.startswith("AWS4"):
        return _from_header(http, authorization)
    if "X-Amz-Signature" in http.query or "X-Amz-Algorithm" in http.query:
        return _from_query(dict(http.pairs))
    if (authorization or "").startswith("AWS ") or ("AWSAccessKeyId=" in http.query and "Signature=" in http.query):
        words = f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}."
        raise WireError("InvalidRequest", words, status=400)
    return None


def _from_header(http: HttpRequest, authorization: str) -> Signed:
    found = _AUTHORIZATION.match(authorization)
    if found is None:
        raise Incomplete(f"Only {ALGORITHM} is understood.")
    parts = dict(part.strip().partition("=")[::2] for part in found.group(1).split(","))
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not parts.get(name):
            raise Incomplete(f"Authorization header requires '{name}' parameter.")
    return Signed(
        credential=_credential(parts["Credential"]),
        signed_headers=tuple(parts["SignedHeaders"].split(";")),
        signature=parts["Signature"],
        timestamp=_timestamp(http.headers),
        token=http.headers.get("x-amz-security-token"),
    )


def _from_query(query: Mapping[str, str]) -> Signed:
    for name in ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature"):
        if not query.get(name):
            raise Incomplete(f"AWS query-string parameters must include '{name}'.")
    if query["X-Amz-Algorithm"] != ALGORITHM:
        raise Incomplete(f"Only {ALGORITHM} is understood.")
    expires = query.get("X-Amz-Expires")
    if expires is not None and not (expires.isascii() and expires.isdigit() and 0 < int(expires) <= LONGEST_EXPIRES_S):
        raise Incomplete(f"X-Amz-Expires must be between 1 and {LONGEST_EXPIRES_S} seconds.")
    return Signed(
        credential=_credential(query["X-Amz-Credential"]),
        signed_headers=tuple(query["X-Amz-SignedHeaders"].split(";")),
        signature=query["X-Amz-Signature"],
        timestamp=query["X-Amz-Date"],
        expires_s=None if expires is None else int(expires),
        token=query.get(_TOKEN),
        presigned=True,
    )


def _credential(text: str) -> Credential:
    parts = text.rsplit("/", 4)
    if len(parts) != 5 or parts[4] != "aws4_request" or not all(parts):
        raise Incomplete("Credential must have the form <access key>/<YYYYMMDD>/<region>/<service>/aws4_request.")
    return Credential(access_key_id=parts[0], date=parts[1], region=parts[2], service=parts[3])


def _timestamp(headers: Mapping[str, str]) -> str:
    stamp = headers.get("x-amz-date")
    if stamp is not None:
        return stamp
    if "date" not in headers:
        raise Incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    try:
        moment = datetime.strptime(headers["date"], "%a, %d %b %Y %H:%M:%S GMT")  # noqa: DTZ007 - GMT is required
    except ValueError:
        raise Incomplete("The Date header has no form that is understood; send X-Amz-Date.") from None
    return moment.strftime("%Y%m%dT%H%M%SZ")


@lru_cache(maxsize=256)
def _moment(stamp: str) -> float:
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def check_time(signed: Signed, now: float) -> None:
    """Raise TooSkewed or Expired when the signature is not of now."""
    try:
        moment = _moment(signed.timestamp)
    except ValueError:
        raise Incomplete("The date must have the form YYYYMMDDTHHMMSSZ.") from None
    if signed.timestamp[:8] != signed.credential.date:
        raise SignatureInvalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date.")
    if moment > now + SKEW_S:
        raise TooSkewed(signed.timestamp, now, late=False)
    if now > moment + (SKEW_S if signed.expires_s is None else signed.expires_s):
        if signed.presigned and signed.expires_s is not None:
            raise WireError("AccessDenied", "Request has expired", status=403)
        raise TooSkewed(signed.timestamp, now, late=True)


def check(signed: Signed, http: HttpRequest, secret: str, payload_hash: str) -> None:
    """Raise SignatureInvalid unless the secret gives this signature for this request."""
    _check_headers(signed, http)
    key = _key(signed, secret)
    service = signed.credential.service
    query = canonical_query(http.pairs_raw, leave_out=("X-Amz-Signature",))
    headers = {name: http.headers.get(name, "") for name in signed.signed_headers}
    for path in canonical_paths(http.path, service):
        if _matches(signed, key, (http.method, path, query), headers, payload_hash):
            return
    raise SignatureInvalid(
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method."
    )


def check_upgrade(signed: Signed, http: HttpRequest, secret: str) -> None:
    """The same for a WebSocket upgrade: the token may be outside, the host may have been signed without its port."""
    key = _key(signed, secret)
    host = http.headers.get("host", "")
    bare = re.sub(r":\d+$", "", host)
    without = canonical_query(http.pairs_raw, leave_out=("X-Amz-Signature", _TOKEN))
    with_token = canonical_query(http.pairs_raw, leave_out=("X-Amz-Signature",))
    for query in dict.fromkeys((without, with_token)):
        for name in dict.fromkeys((host, bare, f"{bare}:443")):
            headers = {key: http.headers.get(key, "") for key in signed.signed_headers} | {"host": name}
            if _matches(signed, key, (http.method, quote(http.path, safe="/~"), query), headers, EMPTY_HASH):
                return
    raise SignatureInvalid("The signature of the WebSocket upgrade does not match.")


def _check_headers(signed: Signed, http: HttpRequest) -> None:
    if "host" not in signed.signed_headers:
        raise SignatureInvalid("'Host' must be a 'SignedHeader' in the AWS Authorization.")
    # unsigned ones could turn a presigned PutObject into a CopyObject
    left_out = [
        name
        for name in http.headers
        if name.startswith("x-amz-") and name not in signed.signed_headers and name not in _MAY_BE_UNSIGNED
    ]
    if left_out:
        raise SignatureInvalid(f"There were headers present in the request which were not signed: {left_out[0]}")


def _key(signed: Signed, secret: str) -> bytes:
    scope = signed.credential
    return signing_key(secret, scope.date, scope.region, scope.service)


def _matches(
    signed: Signed, key: bytes, line: tuple[str, str, str], headers: Mapping[str, str], payload_hash: str
) -> bool:
    request = canonical_request(line, headers, payload_hash)
    wanted = signature(key, signed.timestamp, signed.credential.scope, request)
    return hmac.compare_digest(wanted.encode(), signed.signature.encode())


def canonical_request(line: tuple[str, str, str], headers: Mapping[str, str], payload_hash: str) -> str:
    """Answer the canonical request of (method, canonical path, canonical query)."""
    names = sorted(headers)
    lines = "".join(f"{name}:{_SPACES.sub(' ', headers[name].strip())}\n" for name in names)
    return "\n".join((*line, lines, ";".join(names), payload_hash))


def signature(key: bytes, timestamp: str, scope: str, request: str) -> str:
    """Answer the hexadecimal signature of a canonical request."""
    digest = hashlib.sha256(request.encode()).hexdigest()
    return hmac.new(key, f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}".encode(), hashlib.sha256).hexdigest()


def canonical_query(pairs: Iterable[tuple[str, str]], *, leave_out: tuple[str, ...] = ()) -> str:
    """Answer the canonical form of percent-encoded pairs, sorted."""
    encoded = [(_once(name), _once(value)) for name, value in pairs]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded) if name not in leave_out)


def _once(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="-_.~")


def canonical_paths(path: str, service: str) -> list[str]:
    """Answer the forms of the path that may have been signed: S3 encodes once, the others encode what was sent."""
    if service == "s3":
        as_sent = quote(path, safe="/-_.~%") or "/"
        return list(dict.fromkeys((as_sent, quote(unquote_to_bytes(path), safe="/-_.~") or "/")))
    whole = quote(path, safe="/-_.~")
    if not _DOTS.isdisjoint(path.split("/")):
        return [whole]  # we do not walk paths: a signature for /topics/b must not serve for /topics/a/../b
    return list(dict.fromkeys((quote(_normal(path), safe="/-_.~"), whole)))


def _normal(path: str) -> str:
    if "//" not in path:
        return path or "/"
    kept = [segment for segment in path.split("/") if segment]
    return "/" + "/".join(kept) + ("/" if path.endswith("/") and kept else "")


def sign(
    http: HttpRequest,
    *,
    access_key_id: str,
    secret: str,
    region: str,
    service: str,
    now: float,
    token: str | None = None,
) -> dict[str, str]:
    """Answer the headers that sign a request (it must have `host`): to be added to those it has."""
    stamp = _stamp(now)
    payload = hashlib.sha256(http.body).hexdigest()
    added = {"x-amz-date": stamp, "x-amz-content-sha256": payload}
    if token is not None:
        added["x-amz-security-token"] = token
    signed = {"host": http.headers["host"], **added}
    signed |= {key: value for key, value in http.headers.items() if key == "content-type" or key.startswith("x-amz-")}
    credential = Credential(access_key_id=access_key_id, date=stamp[:8], region=region, service=service)
    line = (http.method, canonical_paths(http.path, service)[0], canonical_query(http.pairs_raw))
    value = signature(
        signing_key(secret, stamp[:8], region, service),
        stamp,
        credential.scope,
        canonical_request(line, signed, payload),
    )
    added["authorization"] = (
        f"{ALGORITHM} Credential={access_key_id}/{credential.scope}, "
        f"SignedHeaders={';'.join(sorted(signed))}, Signature={value}"
    )
    return added


def presign(
    http: HttpRequest,
    *,
    access_key_id: str,
    secret: str,
    region: str,
    service: str,
    now: float,
    expires_s: int,
    token: str | None = None,
) -> str:
    """Answer the query string that presigns a request (method, path, query and `host` of it are signed)."""
    stamp = _stamp(now)
    credential = Credential(access_key_id=access_key_id, date=stamp[:8], region=region, service=service)
    pairs = [
        *http.pairs_raw,
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", quote(f"{access_key_id}/{credential.scope}", safe="")),
        ("X-Amz-Date", stamp),
        ("X-Amz-Expires", str(expires_s)),
        ("X-Amz-SignedHeaders", "host"),
    ]
    if token is not None:
        pairs.append((_TOKEN, quote(token, safe="")))
    query = canonical_query(pairs)
    payload = UNSIGNED_PAYLOAD if service == "s3" else EMPTY_HASH
    line = (http.method, canonical_paths(http.path, service)[0], query)
    request = canonical_request(line, {"host": http.headers["host"]}, payload)
    value = signature(signing_key(secret, stamp[:8], region, service), stamp, credential.scope, request)
    return f"{query}&X-Amz-Signature={value}"
