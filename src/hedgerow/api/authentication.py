"""Who calls, and what: by signature, by client certificate, by a custom authorizer's word, or by nothing where an
operation allows that.

The call is found first, from what the request claims, so that a refusal has the form that the caller's client reads.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ParamSpec, TypeVar

from hedgerow.api.ports import AccessKey, Directory, Doorkeeper, Grants, Stranger
from hedgerow.base.clock import Clock
from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.tls import Proof, WayIn
from hedgerow.core.wire import Call, Catalogue, HttpRequest, WireError, chunked, sigv4

P = ParamSpec("P")
T = TypeVar("T")

GLOBAL_SERVICES = frozenset({"iam", "sts", "s3"})  # may be signed for us-east-1, wherever the cloud is
_BIG = 256 * 1024  # bodies above this are hashed off the loop


class UnknownKey(ServiceError):
    """No active access key has this id, or its session token is another one."""

    code = "UnrecognizedClientException"
    status = 403

    def __init__(self) -> None:
        super().__init__("The security token included in the request is invalid.")


class MissingCredentials(ServiceError):
    """The request has neither a signature nor a client certificate."""

    code = "MissingAuthenticationTokenException"
    status = 403

    def __init__(self) -> None:
        super().__init__("Request is missing Authentication Token: sign it, or present a client certificate.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The other end of the connection."""

    source_ip: str | None = None
    secure: bool = False
    certificate: bytes | None = None  # DER; the handshake proved possession
    server_name: str | None = None  # SNI
    way: WayIn | None = None  # by which the connection came; None is any


class WrongWay(ServiceError):
    """The connection is not for requests that prove themselves like this."""

    code = "ForbiddenException"
    status = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Who calls; with grants of its own where these are not the directory's."""

    caller: Caller
    http: HttpRequest  # the body taken out of signed pieces
    grants: Grants | None = None


Witness = Callable[[str, str, str, float], None]


def nobody_asks(key_id: str, service: str, region: str, now: float) -> None:
    """Nobody wants to know of uses of keys."""


class Authenticator:
    """Checks signatures and certificates against the directory; asks the doorkeeper about everyone else."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        directory: Directory,
        clock: Clock,
        region: str,
        doorkeeper: Doorkeeper | None = None,
        witness: Witness = nobody_asks,
    ) -> None:
        """`witness` is told of every request with a good signature: the key's id, service and region, and when."""
        self._witness = witness
        self._doorkeeper = doorkeeper
        self._catalogue = catalogue
        self._directory = directory
        self._clock = clock
        self._region = region

    def find(self, http: HttpRequest, signed: sigv4.Signed | None, peer: Peer) -> Call:
        """Answer what is called, going by what the signature says of itself; nothing is believed yet."""
        check_way(signed, peer)
        if signed is not None:
            return self._catalogue.signed(http, signed.credential.service)
        if peer.certificate is not None:
            return self._catalogue.device(http)
        call = self._catalogue.anonymous(http)
        if call is None and self._doorkeeper is not None and (peer.way is None or Proof.CUSTOM in peer.way.proofs):
            call = self._catalogue.custom(http)
        if call is None:
            raise MissingCredentials
        return call

    async def authenticate(
        self, call: Call, http: HttpRequest, signed: sigv4.Signed | None, peer: Peer, request_id: str
    ) -> Known:
        """Answer the caller; raise ServiceError when it is not known."""
        if signed is not None:
            key = await self._key(signed)
            http = await _checked_body(call, http, signed, key.secret)
            return Known(caller=self._caller(key, signed, peer, request_id), http=http)
        if peer.certificate is not None and not call.operation.anonymous:
            caller = await self._directory.certificate(peer.certificate, peer.server_name, peer.source_ip)
            caller = replace(caller, request_id=request_id)
            return Known(caller=caller, http=http, grants=await self._vouched(http, peer, caller, peer.certificate))
        if call.operation.anonymous:
            return Known(caller=self._nobody(peer, request_id), http=http)
        return await self._stranger(http, peer, request_id)

    async def _stranger(self, http: HttpRequest, peer: Peer, request_id: str) -> Known:
        if self._doorkeeper is None:
            raise MissingCredentials
        let_in = await self._doorkeeper.let_in(_stranger(http, peer, request_id))
        if let_in is None:
            raise MissingCredentials
        return Known(caller=let_in[0], http=http, grants=let_in[1])

    async def _vouched(self, http: HttpRequest, peer: Peer, caller: Caller, der: bytes) -> Grants | None:
        """Ask an authorizer beside the certificate, where the way in demands it; None: the directory's grants count."""
        if peer.way is None or Proof.X509_AND_CUSTOM not in peer.way.proofs:
            return None
        if self._doorkeeper is None:
            raise MissingCredentials
        return await self._doorkeeper.vouch(_stranger(http, peer, caller.request_id), der, caller)

    async def vouch(self, http: HttpRequest, peer: Peer) -> None:
        """Raise ServiceError when the headers alone show that the request will be refused: before a long body is read.

        Where the signature covers a hash that is not announced, the key's id has to do.
        """
        signed = sigv4.read_signed(http)
        check_way(signed, peer)
        if signed is None:
            if peer.certificate is not None:
                await self._directory.certificate(peer.certificate, peer.server_name, peer.source_ip)
            return
        key = await self._key(signed)
        announced = http.headers.get("x-amz-content-sha256") or dict(http.pairs).get("X-Amz-Content-Sha256")
        if announced is None and signed.presigned and signed.credential.service == "s3":
            announced = sigv4.UNSIGNED_PAYLOAD
        if announced is not None:
            sigv4.check(signed, http, key.secret, announced)

    async def upgrade(self, http: HttpRequest, peer: Peer, request_id: str) -> Caller | None:
        """Answer who signed a WebSocket upgrade, None when it is not signed; raise ServiceError when wrongly so."""
        signed = sigv4.read_signed(http)
        if peer.way is not None and not peer.way.upgrade:
            raise WrongWay("MQTT over WebSocket is not served here: the domain configuration is for HTTPS alone.")
        check_way(signed, peer, upgrade=True)
        if signed is None:
            return None
        key = await self._key(signed)
        sigv4.check_upgrade(signed, http, key.secret)
        return self._caller(key, signed, peer, request_id)

    async def _key(self, signed: sigv4.Signed) -> AccessKey:
        now = self._clock.now()
        self._check_region(signed.credential)
        sigv4.check_time(signed, now)
        key = await self._directory.access_key(signed.credential.access_key_id)
        if key is None:
            raise UnknownKey
        if not hmac.compare_digest((key.session_token or "").encode(), (signed.token or "").encode()):
            raise UnknownKey
        if key.expires_at is not None and key.expires_at <= now:
            raise sigv4.Expired("The security token included in the request is expired")
        return key

    def _check_region(self, credential: sigv4.Credential) -> None:
        if credential.region == self._region:
            return
        if credential.region == "us-east-1" and credential.service in GLOBAL_SERVICES:
            return
        message = (
            f"Credential should be scoped to a valid region: this cloud is '{self._region}', "
            f"the request was signed for '{credential.region}'."
        )
        if credential.service == "s3":
            raise WireError("AuthorizationHeaderMalformed", message, status=400, Region=self._region)
        raise sigv4.SignatureInvalid(message)

    def _caller(self, key: AccessKey, signed: sigv4.Signed, peer: Peer, request_id: str) -> Caller:
        used = signed.credential
        self._witness(used.access_key_id, used.service, used.region, self._clock.now())
        return Caller(
            account=key.account,
            region=self._region,
            principal=key.principal,
            kind=key.kind,
            request_id=request_id,
            source_ip=peer.source_ip,
            secure=peer.secure,
            access_key_id=signed.credential.access_key_id,
        )

    def _nobody(self, peer: Peer, request_id: str) -> Caller:
        return Caller(
            account="",
            region=self._region,
            principal="anonymous",
            kind=Kind.ANONYMOUS,
            request_id=request_id,
            source_ip=peer.source_ip,
            secure=peer.secure,
        )


def _stranger(http: HttpRequest, peer: Peer, request_id: str) -> Stranger:
    return Stranger(
        headers=http.headers,
        query=http.query,
        server_name=peer.server_name,
        source_ip=peer.source_ip,
        secure=peer.secure,
        request_id=request_id,
    )


def check_way(signed: sigv4.Signed | None, peer: Peer, *, upgrade: bool = False) -> None:
    """Raise WrongWay when the connection is not for what a request proves itself with."""
    way = peer.way
    if way is None:
        return
    if not upgrade and not way.plain:
        raise WrongWay("HTTPS requests are not served here: the domain configuration is for MQTT over WebSocket.")
    if signed is not None and Proof.SIGV4 not in way.proofs:
        raise WrongWay("Signed requests are not served here: show a client certificate, or ask an authorizer.")
    if signed is None and not upgrade and way.proofs == {Proof.SIGV4} and peer.certificate is None:
        raise WrongWay("Requests without a signature are not served here.")


async def _checked_body(call: Call, http: HttpRequest, signed: sigv4.Signed, secret: str) -> HttpRequest:
    """Check the signature with the payload hash that was signed, and the body against that hash."""
    announced = http.headers.get("x-amz-content-sha256") or dict(http.pairs).get("X-Amz-Content-Sha256")
    if signed.presigned and call.service == "s3" and announced is None:
        announced = sigv4.UNSIGNED_PAYLOAD
    if announced in chunked.FORMS and call.service == "s3":
        sigv4.check(signed, http, secret, announced)
        return await off_loop(len(http.body), _unchunked, http, signed, secret, announced)
    if announced == sigv4.UNSIGNED_PAYLOAD and call.service == "s3":
        sigv4.check(signed, http, secret, announced)
        return http
    digest = await off_loop(len(http.body), _digest, http.body)
    if announced is not None and not hmac.compare_digest(announced.encode(), digest.encode()):
        sigv4.check(signed, http, secret, announced)
        message = "The provided 'x-amz-content-sha256' header does not match what was computed."
        raise WireError("XAmzContentSHA256Mismatch", message, status=400)
    sigv4.check(signed, http, secret, digest)
    return http


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


async def off_loop(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do work on so many bytes: here when they are few, in a thread when they are many."""
    if size < _BIG:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


def _unchunked(http: HttpRequest, signed: sigv4.Signed, secret: str, form: str) -> HttpRequest:
    scope = signed.credential
    seed = chunked.Seed(
        key=sigv4.signing_key(secret, scope.date, scope.region, scope.service),
        timestamp=signed.timestamp,
        scope=scope.scope,
        signature=signed.signature,
    )
    body, trailers = chunked.read_chunked(http.body, form, seed)
    announced = http.headers.get("x-amz-decoded-content-length")
    if announced is not None and announced != str(len(body)):
        raise WireError("IncompleteBody", "The body is not as long as x-amz-decoded-content-length says.", status=400)
    promised = {name.strip().lower() for name in http.headers.get("x-amz-trailer", "").split(",")} - {""}
    if promised != trailers.keys():
        words = "The headers after the body are not those that x-amz-trailer says."
        raise WireError("MalformedTrailerError", words, status=400)
    return HttpRequest(http.method, http.path, http.query, _plain_headers(http.headers, trailers), body)


def _plain_headers(headers: Mapping[str, str], trailers: Mapping[str, str]) -> dict[str, str]:
    # trailers need not be signed: nothing but a checksum of the body may come as one
    plain = {**headers, **{key: value for key, value in trailers.items() if key.startswith("x-amz-checksum-")}}
    encodings = [part.strip() for part in plain.pop("content-encoding", "").split(",")]
    kept = [part for part in encodings if part and part != "aws-chunked"]
    if kept:
        plain["content-encoding"] = ", ".join(kept)
    return plain
