"""One PKCS#11 token: its keys are found, made, used to sign, and removed; they never leave it.

One call at a time, one session, opened again when the token lost it. A PIN that was refused is not tried again by
this process, so that no token is locked by an edge that tries for ever. Everything blocks: call it from a thread.
Leaves to others: deadlines (`worker.py`), which key is whose (`edge/keys.py`), TLS with them (`openssl.py`).
"""

import contextlib
import hashlib
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from hedgerow.edge.pkcs11 import cryptoki
from hedgerow.edge.pkcs11.cryptoki import Attributes, CryptokiError, Library, NoLibrary
from hedgerow.edge.pkcs11.settings import PROVIDER, TokenSettings
from hedgerow.edge.pkcs11.uri import Pkcs11Uri
from hedgerow.edge.pkcs11.worker import WITHIN_S, Worker
from hedgerow.edge.trouble import Trouble

T = TypeVar("T")
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_P256: Final = bytes.fromhex("06082a8648ce3d030107")
_CURVES: Final[dict[bytes, type[ec.EllipticCurve]]] = {
    _P256: ec.SECP256R1,
    bytes.fromhex("06052b81040022"): ec.SECP384R1,
    bytes.fromhex("06052b81040023"): ec.SECP521R1,
}
_LOST: Final = frozenset(
    {
        "CRYPTOKI_NOT_INITIALIZED",
        "DEVICE_REMOVED",
        "KEY_HANDLE_INVALID",
        "OBJECT_HANDLE_INVALID",
        "OPERATION_ACTIVE",
        "SESSION_CLOSED",
        "SESSION_HANDLE_INVALID",
        "USER_NOT_LOGGED_IN",
    }
)
_NO_TOKEN: Final = frozenset({"SLOT_ID_INVALID", "TOKEN_NOT_PRESENT", "TOKEN_NOT_RECOGNIZED", "DEVICE_REMOVED"})
_USER_PIN: Final = f"services.{PROVIDER}.configuration.userPin"
_PIN: Final = {
    "PIN_INCORRECT": f"does not take the PIN; correct {_USER_PIN}",
    "PIN_INVALID": f"does not take the PIN; correct {_USER_PIN}",
    "PIN_LEN_RANGE": f"takes no PIN of that length; correct {_USER_PIN}",
    "PIN_LOCKED": "is locked after too many wrong PINs; unlock it with its own tool",
    "PIN_EXPIRED": f"wants a new user PIN; set one with its own tool, and in {_USER_PIN}",
    "USER_PIN_NOT_INITIALIZED": "has no user PIN yet; set one with its own tool",
}
_LARGEST_SIGNATURE: Final = 1024
_SHA256: Final = bytes.fromhex("3031300d060960864801650304020105000420")  # comes before a digest: RFC 8017, 9.2


class TokenKey:
    """A private key in the token. Its handle is looked up each time: it is only good within a session."""

    def __init__(self, token: "Token", uri: Pkcs11Uri, public_key: PublicKey) -> None:
        self.token = token
        self.uri = uri
        self._public_key = public_key

    def public_key(self) -> PublicKey:
        return self._public_key

    def signature(self, data: bytes) -> bytes:
        """Sign with SHA-256, as certificates are signed. Raise Trouble."""
        digest = hashlib.sha256(data).digest()
        if isinstance(self._public_key, ec.EllipticCurvePublicKey):
            return encode_dss_signature(*self.ecdsa(digest))
        return self.rsa(padded(_SHA256 + digest, (self._public_key.key_size + 7) // 8))

    def fits(self, public_key: PublicKey) -> bool:
        """Tell whether the token's key is the private half of this one, by a signature. Raise Trouble."""
        data = f"hedgerow: a proof of {self.uri}, no message".encode()
        signature = TokenKey(self.token, self.uri, public_key).signature(data)
        try:
            if isinstance(public_key, ec.EllipticCurvePublicKey):
                public_key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
            else:
                public_key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def ecdsa(self, digest: bytes) -> tuple[int, int]:
        """Sign a digest; answer r and s. Raise Trouble."""
        raw = self.token.sign(self.uri, cryptoki.ECDSA, digest)
        half = len(raw) // 2
        return int.from_bytes(raw[:half]), int.from_bytes(raw[half:])

    def rsa(self, block: bytes) -> bytes:
        """Apply the key to a block that is padded already. Raise Trouble."""
        return self.token.sign(self.uri, cryptoki.RSA_RAW, block).rjust(len(block), b"\0")


class Token:
    """The token of the settings. Every method raises Trouble, which says what is wrong and what to do."""

    def __init__(self, settings: TokenSettings, *, within_s: float = WITHIN_S) -> None:
        self._settings = settings
        self._where = f"the token {settings.name} in slot {settings.slot}"
        self._worker = Worker(self._where, within_s=within_s)
        self._library: Library | None = None
        self._session: int | None = None
        self._label = ""
        self._refused = ""  # why the PIN was
        self.openssl_forms: dict[tuple[str, bytes], int] = {}
        """What `openssl.py` made of the keys, by name and public half."""

    def check(self) -> None:
        """Look whether the token is there and takes the PIN."""
        self._do(lambda library, session: None)

    def maybe_key(self, uri: Pkcs11Uri) -> TokenKey | None:
        """Answer the private key of that name, None when there is none."""

        def step(library: Library, session: int) -> TokenKey | None:
            handle = self._one(library, session, uri, cryptoki.PRIVATE_KEY)
            return None if handle is None else TokenKey(self, uri, self._public(library, session, handle, uri))

        return self._do(step, uri)

    def key(self, uri: Pkcs11Uri) -> TokenKey:
        """Answer the private key of that name."""
        found = self.maybe_key(uri)
        if found is None:
            raise self._absent(uri, "private key")
        return found

    def made(self, uri: Pkcs11Uri) -> TokenKey:
        """Make a pair of that name, on the curve P-256, whose private half cannot be read."""
        name: Attributes = {cryptoki.LABEL: uri.object.encode(), cryptoki.ID: uri.id or _id_of(uri)}
        public: Attributes = {cryptoki.TOKEN: True, cryptoki.VERIFY: True, cryptoki.EC_PARAMS: _P256, **name}
        private: Attributes = {
            cryptoki.TOKEN: True,
            cryptoki.PRIVATE: True,
            cryptoki.SENSITIVE: True,
            cryptoki.EXTRACTABLE: False,
            cryptoki.SIGN: True,
            **name,
        }

        def step(library: Library, session: int) -> TokenKey:
            for torn in library.find(session, {cryptoki.CLASS: cryptoki.PUBLIC_KEY, **name}):
                library.destroy(session, torn)
            _, handle = library.generate(session, cryptoki.EC_KEY_PAIR_GEN, public, private)
            return TokenKey(self, uri, self._public(library, session, handle, uri))

        return self._do(step, uri)

    def remove(self, uri: Pkcs11Uri) -> None:
        """Remove both halves of a key that was made here (which its id tells); nothing happens when they are gone."""
        ours = replace(uri, id=uri.id or _id_of(uri))

        def step(library: Library, session: int) -> None:
            for kind in (cryptoki.PRIVATE_KEY, cryptoki.PUBLIC_KEY):
                for handle in library.find(session, _wanted(ours, kind)):
                    library.destroy(session, handle)

        self._do(step, uri)

    def certificate(self, uri: Pkcs11Uri) -> bytes:
        """Answer the certificate of that name as PEM."""

        def step(library: Library, session: int) -> bytes | None:
            handle = self._one(library, session, uri, cryptoki.CERTIFICATE)
            return None if handle is None else library.attribute(session, handle, cryptoki.VALUE)

        der = self._do(step, uri)
        if der is None:
            raise self._absent(uri, "certificate")
        try:
            return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
        except ValueError as error:
            raise Trouble(f"{self._where}: {uri} is no X.509 certificate", permanent=True) from error

    def sign(self, uri: Pkcs11Uri, mechanism: int, data: bytes) -> bytes:
        """Answer what the mechanism makes of the data with the key."""

        def step(library: Library, session: int) -> bytes | None:
            handle = self._one(library, session, uri, cryptoki.PRIVATE_KEY)
            if handle is None:
                return None
            kind = int.from_bytes(library.attribute(session, handle, cryptoki.KEY_TYPE), sys.byteorder)
            if kind != (cryptoki.EC if mechanism == cryptoki.ECDSA else cryptoki.RSA):  # not every token looks
                raise Trouble(f"{self._where}: {uri} is of another kind than its certificate's key", permanent=True)
            return library.sign(session, handle, mechanism, data, _LARGEST_SIGNATURE)

        found = self._do(step, uri)
        if found is None:
            raise self._absent(uri, "private key")
        return found

    def signs_raw(self) -> bool:
        """Tell whether the token applies an RSA key to a padded block, which TLS 1.3 needs."""
        return self._do(lambda library, session: library.knows(self._settings.slot, cryptoki.RSA_RAW))

    def close(self) -> None:
        """End the library in this process; may be called more than once."""

        def step() -> None:
            library, self._library, self._session = self._library, None, None
            if library is not None:
                with contextlib.suppress(CryptokiError):
                    library.close()

        with contextlib.suppress(Trouble):
            self._worker.run(step)
        self._worker.close()

    def _do(self, step: Callable[[Library, int], T], uri: Pkcs11Uri | None = None) -> T:
        """Run the step with a session in which the user is logged in; once more in a new one when that was lost."""
        return self._worker.run(lambda: self._done(step, uri))

    def _done(self, step: Callable[[Library, int], T], uri: Pkcs11Uri | None) -> T:
        for last in (False, True):
            try:
                library, session = self._opened()
                self._named(uri)
                return step(library, session)
            except CryptokiError as error:
                self._drop()
                if last or error.name not in _LOST:
                    raise self._explained(error) from error
        raise AssertionError("the second try answers or raises")  # for the type checker

    def _opened(self) -> tuple[Library, int]:
        if self._refused:
            raise Trouble(self._refused, permanent=True)
        if self._library is None:
            self._library = self._loaded()
        if self._session is None:
            info = self._library.token(self._settings.slot)
            self._usable(info)
            session = self._library.open(self._settings.slot)
            try:
                self._library.login(session, self._settings.user_pin)
            except CryptokiError:
                self._library.close_session(session)
                raise
            self._session, self._label = session, info.label
        return self._library, self._session

    def _loaded(self) -> Library:
        path = self._settings.library
        if not path.is_file():
            text = f"there is no PKCS#11 library {path}; correct services.{PROVIDER}.configuration.library"
            raise Trouble(text, permanent=True)
        try:
            return Library(path)
        except NoLibrary as error:
            raise Trouble(f"cannot use the PKCS#11 library {path}: {error}", permanent=True) from error

    def _usable(self, info: cryptoki.TokenInfo) -> None:
        if not info.flags & cryptoki.TOKEN_INITIALIZED:
            raise Trouble(f"{self._where} is not initialised; do that with its own tool, or name another slot")
        if info.flags & cryptoki.PIN_LOCKED:
            raise Trouble(f"{self._where} {_PIN['PIN_LOCKED']}", permanent=True)
        if info.flags & cryptoki.PIN_FINAL_TRY:
            raise Trouble(
                f"{self._where} would be locked by one more wrong PIN, so the edge does not try its own; log in once "
                "with the token's own tool",
                permanent=True,
            )

    def _named(self, uri: Pkcs11Uri | None) -> None:
        if uri is not None and uri.token not in ("", self._label):
            raise Trouble(f"{self._where} is called {self._label!r}, but {uri} is of another one", permanent=True)

    def _drop(self) -> None:
        library, session, self._library, self._session = self._library, self._session, None, None
        if library is not None and session is not None:
            with contextlib.suppress(CryptokiError):
                library.close_session(session)

    def _explained(self, error: CryptokiError) -> Trouble:
        if error.name in _PIN:
            self._refused = (
                f"{self._where} {_PIN[error.name]}; then start the edge again (it tries no PIN twice, lest the token "
                "be locked)"
            )
            return Trouble(self._refused, permanent=True)
        if error.name in _NO_TOKEN:
            return Trouble(f"slot {self._settings.slot} holds no token; {self._others()}")
        if error.name == "TOKEN_WRITE_PROTECTED":
            return Trouble(f"{self._where} cannot be written, so it can hold no new key", permanent=True)
        if error.name == "DEVICE_MEMORY":
            return Trouble(f"{self._where} is full; remove keys that are not needed")
        return Trouble(f"{self._where} failed: {error}")

    def _others(self) -> str:
        """Name the slots that could be meant."""
        try:
            library = self._loaded()
            found = [f"{slot} ({library.token(slot).label or 'not initialised'})" for slot in library.slots()]
        except (CryptokiError, Trouble):
            found = []
        return f"there are tokens in {', '.join(found)}" if found else "the library sees no token at all"

    def _absent(self, uri: Pkcs11Uri, what: str) -> Trouble:
        return Trouble(f"{self._where} has no {what} {uri}; make it there, or name another", permanent=True)

    def _one(self, library: Library, session: int, uri: Pkcs11Uri, kind: int) -> int | None:
        found = library.find(session, _wanted(uri, kind))
        if len(found) > 1:
            raise Trouble(f"{self._where} has {uri} more than once; add its id to the URI", permanent=True)
        return found[0] if found else None

    def _public(self, library: Library, session: int, private: int, uri: Pkcs11Uri) -> PublicKey:
        """Answer the public half: of the private object where it shows it, else of the public object beside it."""
        name = {cryptoki.ID: library.attribute(session, private, cryptoki.ID)}
        if not name[cryptoki.ID]:
            name = {cryptoki.LABEL: uri.object.encode()}
        beside = library.find(session, {cryptoki.CLASS: cryptoki.PUBLIC_KEY, **name})
        for handle in (private, *beside):
            found = self._read(library, session, handle, uri)
            if found is not None:
                return found
        raise Trouble(f"{self._where} has {uri} without its public half; import that too", permanent=True)

    def _read(self, library: Library, session: int, handle: int, uri: Pkcs11Uri) -> PublicKey | None:
        modulus = library.attribute(session, handle, cryptoki.MODULUS)
        exponent = library.attribute(session, handle, cryptoki.PUBLIC_EXPONENT)
        if modulus and exponent:
            return rsa.RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus)).public_key()
        point = library.attribute(session, handle, cryptoki.EC_POINT)
        if not point:
            return None
        kind = _CURVES.get(library.attribute(session, handle, cryptoki.EC_PARAMS))
        if kind is None:
            raise Trouble(f"{uri} is on a curve that is not P-256, P-384 or P-521", permanent=True)
        curve = kind()
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(curve, _unwrapped(point, curve.key_size))
        except ValueError as error:
            raise Trouble(f"{self._where} shows a broken public half of {uri}", permanent=True) from error


def padded(block: bytes, size: int) -> bytes:
    """Answer the block as an RSA key signs it. Spec: RFC 8017, section 9.2."""
    return b"\0\1" + b"\xff" * (size - len(block) - 3) + b"\0" + block


def _wanted(uri: Pkcs11Uri, kind: int) -> dict[int, bytes | int]:
    wanted: dict[int, bytes | int] = {cryptoki.CLASS: kind, cryptoki.LABEL: uri.object.encode()}
    if uri.id:
        wanted[cryptoki.ID] = uri.id
    return wanted


def _id_of(uri: Pkcs11Uri) -> bytes:
    """Answer an id for a key of ours: what joins its two halves."""
    return hashlib.sha256(uri.object.encode()).digest()[:16]


def _unwrapped(point: bytes, bits: int) -> bytes:
    """Answer the bare point: most tokens show it in an OCTET STRING, some without."""
    bare = 1 + 2 * ((bits + 7) // 8)
    return point[-bare:] if point[:1] == b"\x04" and len(point) > bare else point
