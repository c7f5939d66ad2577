"""An identity provider's keys and tokens, for tests."""

import functools
import hashlib
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from hedgerow.core import pki
from hedgerow.core.jwt.encoding import to_base64url

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


@functools.cache
def rsa_key(number: int = 1) -> rsa.RSAPrivateKey:
    """Answer a key; the same number gives the same key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def ec_key(curve: str = "P-256") -> ec.EllipticCurvePrivateKey:
    """Answer a key on the curve."""
    curves: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
    return ec.generate_private_key(curves[curve])


def jwk(key: Private, key_id: str | None = "one", **more: Any) -> dict[str, Any]:
    """Answer the public half as key sets show it."""
    numbers = key.public_key().public_numbers()
    named = {} if key_id is None else {"kid": key_id}
    if isinstance(numbers, rsa.RSAPublicNumbers):
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e), **named, **more}
    curve = {"secp256r1": ("P-256", 32), "secp384r1": ("P-384", 48), "secp521r1": ("P-521", 66)}
    name, size = curve[numbers.curve.name]
    return {"kty": "EC", "crv": name, "x": _number(numbers.x, size), "y": _number(numbers.y, size), **named, **more}


def key_set(*keys: Mapping[str, Any]) -> bytes:
    """Answer a JWKS."""
    return json.dumps({"keys": list(keys)}).encode()


def signed(claims: Mapping[str, Any], key: Private | None = None, algorithm: str = "RS256", **header: Any) -> str:
    """Answer a token with this header (`kid` is `one` unless given; None leaves it out)."""
    head = {"alg": algorithm, "typ": "JWT", "kid": "one", **header}
    head = {name: value for name, value in head.items() if value is not None}
    parts = ".".join(to_base64url(json.dumps(part).encode()) for part in (head, claims))
    return f"{parts}.{to_base64url(signature(parts.encode(), key or rsa_key(), algorithm))}"


def signature(data: bytes, key: Private, algorithm: str) -> bytes:
    """Sign as the algorithm says."""
    digest = HASHES[algorithm[2:]]
    if isinstance(key, rsa.RSAPrivateKey):
        pads: padding.AsymmetricPadding = padding.PKCS1v15()
        if algorithm.startswith("PS"):
            pads = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
        return key.sign(data, pads, digest)
    r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def _number(value: int, size: int = 0) -> str:
    return to_base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class IdentityProvider:
    """An OIDC provider on loopback, with a certificate authority of its own that no system knows."""

    def __init__(self, folder: Path, *, name: str = "localhost", shown_ca: str | None = None) -> None:
        """`shown_ca` is the authority that it shows instead of the one that signed its certificate."""
        self.keys = [jwk(rsa_key())]
        self.asked: list[str] = []
        self.answers: dict[str, tuple[int, bytes]] = {}  # instead of what it would say
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"https://localhost:{self.server.server_address[1]}"
        authority = pki.new_server_authority(time.time(), name="Somebody's CA")
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = pki.issue_server(authority, key.public_key(), [name], time.time())
        self.ca = authority.pem
        self.thumbprint = _sha1(self.ca)
        self.leaf_thumbprint = _sha1(leaf)
        chain, secret = folder / "provider.pem", folder / "provider.key"
        chain.write_text(leaf + (shown_ca or self.ca))
        secret.write_text(pki.private_pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, secret)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)

    def token(self, subject: str = "ann", audience: Any = "app", **claims: Any) -> str:
        """Answer a token that is good for five minutes."""
        now = int(time.time())
        own = {"iss": self.issuer, "sub": subject, "aud": audience, "iat": now, "exp": now + 300}
        return signed({name: value for name, value in {**own, **claims}.items() if value is not None})

    def answer(self, path: str) -> tuple[int, bytes]:
        """Answer what is published there."""
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            return 200, json.dumps({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}).encode()
        return (200, key_set(*self.keys)) if path == "/keys" else (404, b"")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                status, body = owner.answer(self.path)
                self.send_response(status)
                if status == 302:
                    self.send_header("location", body.decode())
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
                """Tests print nothing."""

        return Handler


def _sha1(pem: str) -> str:
    return hashlib.sha1(ssl.PEM_cert_to_DER_cert(pem), usedforsecurity=False).hexdigest()


@contextmanager
def identity_provider(folder: Path, **options: Any) -> Iterator[IdentityProvider]:
    """Run a provider until the block ends."""
    made = IdentityProvider(folder, **options)
    made.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that do not trust it go away
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.05}, name="provider")
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join()
