"""Giving a key that stays in a token to one of Python's TLS contexts.

Python's ssl takes keys from files only. So OpenSSL is told, through ctypes and in the very library that Python's ssl
uses, that the key's signatures come from a callback. What this rests on is looked at first, and refused by name when it
is not so: a CPython whose contexts begin with OpenSSL's, an OpenSSL with key methods. Leaves to others: the token
(`token.py`). Spec: OpenSSL, EC_KEY_METHOD_new(3), RSA_meth_new(3), SSL_CTX_use_certificate(3).
"""

import ctypes
import ssl
import sys
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_long, c_ubyte, c_uint64, c_ulong, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hedgerow.base.log import get_logger
from hedgerow.edge.pkcs11.token import PublicKey, Token, TokenKey, padded
from hedgerow.edge.pkcs11.uri import Pkcs11Uri
from hedgerow.edge.trouble import Trouble

NEWEST: Final = (3, 13)
"""The newest Python whose contexts were seen to begin with OpenSSL's."""
_PKCS1_PADDING: Final = 1
_NO_PADDING: Final = 3
_RSA_NO_CHECK: Final = 0x0001  # the private half is not here to be looked at
_log = get_logger("edge.pkcs11")

_EcSign = CFUNCTYPE(c_void_p, POINTER(c_ubyte), c_int, c_void_p, c_void_p, c_void_p)
_RsaApply = CFUNCTYPE(c_int, c_int, POINTER(c_ubyte), POINTER(c_ubyte), c_void_p, c_int)
_SIGNATURES: Final[dict[str, tuple[Any, list[Any]]]] = {
    "OpenSSL_version_num": (c_ulong, []),
    "ERR_clear_error": (None, []),
    "SSL_CTX_get_options": (c_uint64, [c_void_p]),
    "SSL_CTX_use_certificate_chain_file": (c_int, [c_void_p, c_char_p]),
    "SSL_CTX_use_PrivateKey": (c_int, [c_void_p, c_void_p]),
    "EVP_PKEY_new": (c_void_p, []),
    "EVP_PKEY_set1_EC_KEY": (c_int, [c_void_p, c_void_p]),
    "EVP_PKEY_set1_RSA": (c_int, [c_void_p, c_void_p]),
    "d2i_EC_PUBKEY": (c_void_p, [c_void_p, POINTER(c_char_p), c_long]),
    "d2i_RSA_PUBKEY": (c_void_p, [c_void_p, POINTER(c_char_p), c_long]),
    "EC_KEY_OpenSSL": (c_void_p, []),
    "EC_KEY_METHOD_new": (c_void_p, [c_void_p]),
    "EC_KEY_METHOD_get_sign": (None, [c_void_p, c_void_p, c_void_p, c_void_p]),
    "EC_KEY_METHOD_set_sign": (None, [c_void_p, c_void_p, c_void_p, _EcSign]),
    "EC_KEY_set_method": (c_int, [c_void_p, c_void_p]),
    "ECDSA_SIG_new": (c_void_p, []),
    "ECDSA_SIG_set0": (c_int, [c_void_p, c_void_p, c_void_p]),
    "BN_bin2bn": (c_void_p, [c_char_p, c_int, c_void_p]),
    "RSA_PKCS1_OpenSSL": (c_void_p, []),
    "RSA_meth_dup": (c_void_p, [c_void_p]),
    "RSA_meth_set_priv_enc": (c_int, [c_void_p, _RsaApply]),
    "RSA_meth_set_flags": (c_int, [c_void_p, c_int]),
    "RSA_set_method": (c_int, [c_void_p, c_void_p]),
}


def use(context: ssl.SSLContext, certificate: Path, token: Token, uri: Pkcs11Uri) -> None:
    """Have the context show the certificate (with its chain) and sign with the key. Blocks. Raise Trouble."""
    openssl = _openssl()
    place = _inside(openssl, context)
    key = TokenKey(token, uri, _public_of(certificate))
    if not key.fits(key.public_key()):  # asked here, where a failure has words: a handshake has none
        raise Trouble(f"the key {uri} does not fit the certificate {certificate}", permanent=True)
    pkey = _pkey(openssl, key)
    try:
        if openssl.SSL_CTX_use_certificate_chain_file(place, str(certificate).encode()) != 1:
            raise Trouble(f"{certificate} holds no certificate that can be used", permanent=True)
        if openssl.SSL_CTX_use_PrivateKey(place, pkey) != 1:
            raise Trouble(f"OpenSSL does not take the key {uri} with the certificate {certificate}", permanent=True)
    finally:
        openssl.ERR_clear_error()


def _public_of(certificate: Path) -> PublicKey:
    try:
        key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    except (OSError, ValueError) as error:
        raise Trouble(f"{certificate} holds no certificate that can be used: {error}", permanent=True) from error
    if isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return key
    raise Trouble(f"the certificate {certificate} is for neither an elliptic curve nor an RSA key", permanent=True)


@cache
def _openssl() -> Any:
    """Answer the OpenSSL of Python's ssl, with its functions declared."""
    import _ssl

    if sys.implementation.name != "cpython" or sys.version_info[:2] > NEWEST:
        raise _unfit(f"it is newer than {NEWEST[0]}.{NEWEST[1]}, or no CPython")
    path = getattr(_ssl, "__file__", None)
    if path is None:
        raise _unfit("its OpenSSL is built in")
    library = ctypes.CDLL(path)  # finds what the module itself is linked with, and no other OpenSSL of the process
    for name, (result, arguments) in _SIGNATURES.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise _unfit(f"its OpenSSL has no {name}") from None
        function.restype, function.argtypes = result, arguments
    if library.OpenSSL_version_num() != ssl.OPENSSL_VERSION_NUMBER:
        raise _unfit("its ssl was made for another OpenSSL than the one that is there")
    return library


def _unfit(why: str) -> Trouble:
    return Trouble(
        f"keys in a token cannot be used with this Python ({sys.version.split()[0]}, {ssl.OPENSSL_VERSION}): {why}; "
        "use the Python of the system",
        permanent=True,
    )


def _inside(openssl: Any, context: ssl.SSLContext) -> int:
    """Answer the address of OpenSSL's context, the first member of Python's."""
    found = c_void_p.from_address(id(context) + object.__basicsize__).value
    if not found or openssl.SSL_CTX_get_options(found) & 0xFFFFFFFF != context.options & 0xFFFFFFFF:
        raise _unfit("its contexts are not as expected")
    return found


def _pkey(openssl: Any, key: TokenKey) -> int:
    """Answer OpenSSL's form of the key, which is made once."""
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    forms, name = key.token.openssl_forms, (str(key.uri), der)
    if name not in forms:
        make = _ec if isinstance(key.public_key(), ec.EllipticCurvePublicKey) else _rsa
        forms[name] = make(openssl, key, der)
    return forms[name]


def _ec(openssl: Any, key: TokenKey, der: bytes) -> int:
    def sign(digest: Any, size: int, _kinv: int, _r: int, _key: int) -> int | None:
        numbers = _guarded(key, lambda: key.ecdsa(bytes(digest[:size])))
        if numbers is None:
            return None
        signature = openssl.ECDSA_SIG_new()
        r, s = (openssl.BN_bin2bn(data, len(data), None) for data in map(_bytes, numbers))
        openssl.ECDSA_SIG_set0(signature, r, s)
        return int(signature)

    callback = _for_good(_EcSign(sign))
    method = openssl.EC_KEY_METHOD_new(openssl.EC_KEY_OpenSSL())
    whole, setup, old = c_void_p(), c_void_p(), c_void_p()
    openssl.EC_KEY_METHOD_get_sign(method, ctypes.byref(whole), ctypes.byref(setup), ctypes.byref(old))
    openssl.EC_KEY_METHOD_set_sign(method, whole, setup, callback)
    bare = openssl.d2i_EC_PUBKEY(None, ctypes.byref(c_char_p(der)), len(der))
    return _wrapped(openssl, bare, openssl.EC_KEY_set_method(bare, method), openssl.EVP_PKEY_set1_EC_KEY)


def _rsa(openssl: Any, key: TokenKey, der: bytes) -> int:
    if not key.token.signs_raw():
        raise Trouble(f"the token cannot use the RSA key {key.uri} for TLS (CKM_RSA_X_509); use a key on P-256")
    size = (key.public_key().key_size + 7) // 8

    def apply(length: int, data: Any, target: Any, _rsa: int, padding: int) -> int:
        block = bytes(data[:length])
        if padding == _PKCS1_PADDING:
            block = padded(block, size)
        elif padding != _NO_PADDING:
            return -1
        done = _guarded(key, lambda: key.rsa(block))
        if done is None:
            return -1
        ctypes.memmove(target, done, len(done))
        return len(done)

    callback = _for_good(_RsaApply(apply))
    method = openssl.RSA_meth_dup(openssl.RSA_PKCS1_OpenSSL())
    openssl.RSA_meth_set_priv_enc(method, callback)
    openssl.RSA_meth_set_flags(method, _RSA_NO_CHECK)
    bare = openssl.d2i_RSA_PUBKEY(None, ctypes.byref(c_char_p(der)), len(der))
    return _wrapped(openssl, bare, openssl.RSA_set_method(bare, method), openssl.EVP_PKEY_set1_RSA)


def _wrapped(openssl: Any, bare: int, ready: int, put: Callable[[int, int], int]) -> int:
    """Answer the key in OpenSSL's general form; only after its method is set, which it looks at here."""
    pkey = openssl.EVP_PKEY_new()
    if ready != 1 or put(pkey, bare) != 1:
        raise _unfit("its OpenSSL takes no key methods")
    return int(pkey)


def _guarded(key: TokenKey, act: Callable[[], Any]) -> Any:
    """Answer what the token did, None when it did not: nothing may be raised into OpenSSL."""
    try:
        return act()
    except Exception as error:  # noqa: BLE001  # whatever it is, the handshake fails, and the log says why
        _log.warning("the token did not sign", extra={"fields": {"key": str(key.uri), "cause": str(error)}})
        return None


def _for_good(callback: Any) -> Any:
    """Keep the callback as long as the process lives: nobody tells when OpenSSL needs it for the last time."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(callback))
    return callback


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8 or 1)
