"""The calls of a PKCS#11 library that an edge needs, through ctypes; not thread-safe by itself.

Leaves to others: what a return value means to an operator, sessions that end, one caller at a time (`token.py`).
Spec: PKCS #11 Cryptographic Token Interface Base Specification 2.40, with the numbers of its header files.
"""

import ctypes
from collections.abc import Iterable, Mapping
from ctypes import POINTER, byref, c_char, c_char_p, c_ubyte, c_ulong, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

RETURNS: Final = {
    0x02: "HOST_MEMORY",
    0x03: "SLOT_ID_INVALID",
    0x05: "GENERAL_ERROR",
    0x06: "FUNCTION_FAILED",
    0x07: "ARGUMENTS_BAD",
    0x0A: "CANT_LOCK",
    0x10: "ATTRIBUTE_READ_ONLY",
    0x11: "ATTRIBUTE_SENSITIVE",
    0x12: "ATTRIBUTE_TYPE_INVALID",
    0x13: "ATTRIBUTE_VALUE_INVALID",
    0x1B: "ACTION_PROHIBITED",
    0x30: "DEVICE_ERROR",
    0x31: "DEVICE_MEMORY",
    0x32: "DEVICE_REMOVED",
    0x54: "FUNCTION_NOT_SUPPORTED",
    0x60: "KEY_HANDLE_INVALID",
    0x63: "KEY_TYPE_INCONSISTENT",
    0x68: "KEY_FUNCTION_NOT_PERMITTED",
    0x70: "MECHANISM_INVALID",
    0x71: "MECHANISM_PARAM_INVALID",
    0x82: "OBJECT_HANDLE_INVALID",
    0x90: "OPERATION_ACTIVE",
    0xA0: "PIN_INCORRECT",
    0xA1: "PIN_INVALID",
    0xA2: "PIN_LEN_RANGE",
    0xA3: "PIN_EXPIRED",
    0xA4: "PIN_LOCKED",
    0xB0: "SESSION_CLOSED",
    0xB1: "SESSION_COUNT",
    0xB3: "SESSION_HANDLE_INVALID",
    0xB5: "SESSION_READ_ONLY",
    0xD0: "TEMPLATE_INCOMPLETE",
    0xD1: "TEMPLATE_INCONSISTENT",
    0xE0: "TOKEN_NOT_PRESENT",
    0xE1: "TOKEN_NOT_RECOGNIZED",
    0xE2: "TOKEN_WRITE_PROTECTED",
    0x100: "USER_ALREADY_LOGGED_IN",
    0x101: "USER_NOT_LOGGED_IN",
    0x102: "USER_PIN_NOT_INITIALIZED",
    0x190: "CRYPTOKI_NOT_INITIALIZED",
    0x191: "CRYPTOKI_ALREADY_INITIALIZED",
}

TOKEN_INITIALIZED: Final = 0x400
PIN_FINAL_TRY: Final = 0x20000
PIN_LOCKED: Final = 0x40000
_OS_LOCKING_OK: Final = 0x2
_RW_SESSION: Final = 0x2 | 0x4  # with CKF_SERIAL_SESSION, which every session has
_USER: Final = 1
_MOST_OBJECTS: Final = 16
_LARGEST_VALUE: Final = 65_536

# classes, key types, attributes, mechanisms
CERTIFICATE, PUBLIC_KEY, PRIVATE_KEY = 1, 2, 3
RSA, EC = 0, 3
CLASS, TOKEN, PRIVATE, LABEL, VALUE = 0x0, 0x1, 0x2, 0x3, 0x11
KEY_TYPE, ID, SENSITIVE, SIGN, VERIFY = 0x100, 0x102, 0x103, 0x108, 0x10A
MODULUS, PUBLIC_EXPONENT, EXTRACTABLE, EC_PARAMS, EC_POINT = 0x120, 0x122, 0x162, 0x180, 0x181
RSA_RAW, EC_KEY_PAIR_GEN, ECDSA = 0x3, 0x1040, 0x1041

# where a function stands in CK_FUNCTION_LIST
_FUNCTIONS: Final = {
    "C_Initialize": 0,
    "C_Finalize": 1,
    "C_GetSlotList": 4,
    "C_GetTokenInfo": 6,
    "C_GetMechanismInfo": 8,
    "C_OpenSession": 12,
    "C_CloseSession": 13,
    "C_Login": 18,
    "C_DestroyObject": 22,
    "C_GetAttributeValue": 24,
    "C_FindObjectsInit": 26,
    "C_FindObjects": 27,
    "C_FindObjectsFinal": 28,
    "C_SignInit": 42,
    "C_Sign": 43,
    "C_GenerateKeyPair": 59,
}


Attributes = Mapping[int, bytes | int]
"""An object's attributes: texts and numbers, and what is true or false as bool."""


class CryptokiError(Exception):
    """A function did not answer CKR_OK. `name` is the return value's, without CKR_."""

    def __init__(self, function: str, code: int) -> None:
        self.name = RETURNS.get(code, f"0x{code:x}")
        super().__init__(f"{function} answered {self.name}")


class NoLibrary(Exception):
    """The file is no PKCS#11 library that can be loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenInfo:
    """What a token says of itself without a PIN."""

    label: str
    flags: int


class _InitializeArguments(ctypes.Structure):
    _fields_ = (("mutexes", c_void_p * 4), ("flags", c_ulong), ("reserved", c_void_p))


class _TokenInfo(ctypes.Structure):
    _fields_ = (
        ("label", c_char * 32),
        ("manufacturer", c_char * 32),
        ("model", c_char * 16),
        ("serial", c_char * 16),
        ("flags", c_ulong),
        ("numbers", c_ulong * 10),
        ("versions", c_ubyte * 4),
        ("time", c_char * 16),
    )


class _Attribute(ctypes.Structure):
    _fields_ = (("type", c_ulong), ("value", c_void_p), ("size", c_ulong))


class _Mechanism(ctypes.Structure):
    _fields_ = (("type", c_ulong), ("parameter", c_void_p), ("size", c_ulong))


class Library:
    """A loaded library. One per file and process: what it holds is the process', not the object's."""

    def __init__(self, path: Path) -> None:
        try:
            get = ctypes.CDLL(str(path)).C_GetFunctionList
        except OSError as error:
            raise NoLibrary(str(error)) from error
        except AttributeError:
            raise NoLibrary("it is a library, but none of PKCS#11") from None
        table = c_void_p()
        get.argtypes, get.restype = [POINTER(c_void_p)], c_ulong
        code = get(byref(table))
        if code or not table.value:
            raise NoLibrary(str(CryptokiError("C_GetFunctionList", code)))
        first = table.value + ctypes.sizeof(c_void_p)  # the version comes before, and fills a pointer's place
        self._table = (c_void_p * (max(_FUNCTIONS.values()) + 1)).from_address(first)
        self._initialize()

    def close(self) -> None:
        """End the library in this process; every session is over."""
        self._call("C_Finalize", c_void_p())

    def slots(self) -> list[int]:
        """Answer the slots that hold a token."""
        count = c_ulong(0)
        self._call("C_GetSlotList", c_ubyte(1), c_void_p(), byref(count))
        found = (c_ulong * max(1, count.value))()
        self._call("C_GetSlotList", c_ubyte(1), found, byref(count))
        return list(found[: count.value])

    def token(self, slot: int) -> TokenInfo:
        info = _TokenInfo()
        self._call("C_GetTokenInfo", c_ulong(slot), byref(info))
        label = bytes(info)[:32].decode("utf-8", "replace").rstrip(" \0")
        return TokenInfo(label=label, flags=info.flags)

    def knows(self, slot: int, mechanism: int) -> bool:
        """Tell whether the token has the mechanism."""
        try:
            self._call("C_GetMechanismInfo", c_ulong(slot), c_ulong(mechanism), byref((c_ulong * 3)()))
        except CryptokiError as error:
            if error.name in ("MECHANISM_INVALID", "FUNCTION_NOT_SUPPORTED"):
                return False
            raise
        return True

    def open(self, slot: int) -> int:
        session = c_ulong(0)
        self._call("C_OpenSession", c_ulong(slot), c_ulong(_RW_SESSION), c_void_p(), c_void_p(), byref(session))
        return session.value

    def close_session(self, session: int) -> None:
        self._call("C_CloseSession", c_ulong(session))

    def login(self, session: int, pin: str) -> None:
        """Log in for all sessions of this process with the token; nothing happens when that was done."""
        data = pin.encode()
        try:
            self._call("C_Login", c_ulong(session), c_ulong(_USER), c_char_p(data), c_ulong(len(data)))
        except CryptokiError as error:
            if error.name != "USER_ALREADY_LOGGED_IN":
                raise

    def find(self, session: int, wanted: Attributes) -> list[int]:
        """Answer the handles of the objects with these attributes, at most a few."""
        template = _Template(wanted)
        self._call("C_FindObjectsInit", c_ulong(session), template.array, c_ulong(len(template.array)))
        try:
            found, count = (c_ulong * _MOST_OBJECTS)(), c_ulong(0)
            self._call("C_FindObjects", c_ulong(session), found, c_ulong(_MOST_OBJECTS), byref(count))
        finally:
            self._call("C_FindObjectsFinal", c_ulong(session))
        return list(found[: count.value])

    def attribute(self, session: int, handle: int, kind: int) -> bytes:
        """Answer an attribute's bytes, b"" when the object has none or does not show it."""
        wanted = (_Attribute * 1)(_Attribute(kind, None, 0))
        try:
            self._call("C_GetAttributeValue", c_ulong(session), c_ulong(handle), wanted, c_ulong(1))
            if not 0 < wanted[0].size <= _LARGEST_VALUE:
                return b""
            buffer = ctypes.create_string_buffer(wanted[0].size)
            wanted[0].value = ctypes.addressof(buffer)
            self._call("C_GetAttributeValue", c_ulong(session), c_ulong(handle), wanted, c_ulong(1))
        except CryptokiError as error:
            if error.name in ("ATTRIBUTE_SENSITIVE", "ATTRIBUTE_TYPE_INVALID"):
                return b""
            raise
        return buffer.raw[: wanted[0].size]

    def generate(self, session: int, mechanism: int, public: Attributes, private: Attributes) -> tuple[int, int]:
        """Make a pair of keys and answer the handles of its public and private halves."""
        how, one, other = _Mechanism(mechanism, None, 0), _Template(public), _Template(private)
        handles = c_ulong(0), c_ulong(0)
        self._call(
            "C_GenerateKeyPair",
            c_ulong(session),
            byref(how),
            one.array,
            c_ulong(len(one.array)),
            other.array,
            c_ulong(len(other.array)),
            byref(handles[0]),
            byref(handles[1]),
        )
        return handles[0].value, handles[1].value

    def sign(self, session: int, key: int, mechanism: int, data: bytes, size: int) -> bytes:
        """Sign in one step; `size` is the longest signature that can come."""
        self._call("C_SignInit", c_ulong(session), byref(_Mechanism(mechanism, None, 0)), c_ulong(key))
        signature, length = ctypes.create_string_buffer(size), c_ulong(size)
        self._call("C_Sign", c_ulong(session), c_char_p(data), c_ulong(len(data)), signature, byref(length))
        return signature.raw[: length.value]

    def destroy(self, session: int, handle: int) -> None:
        self._call("C_DestroyObject", c_ulong(session), c_ulong(handle))

    def _initialize(self) -> None:
        for arguments in (byref(_InitializeArguments(flags=_OS_LOCKING_OK)), c_void_p()):
            try:
                self._call("C_Initialize", arguments)
            except CryptokiError as error:
                if error.name == "CRYPTOKI_ALREADY_INITIALIZED":
                    return
                if error.name != "CANT_LOCK":
                    raise NoLibrary(str(error)) from error
            else:
                return
        raise NoLibrary("it cannot be used by a process with threads")

    def _call(self, name: str, *arguments: Any) -> None:
        address = self._table[_FUNCTIONS[name]]
        if not address:
            raise CryptokiError(name, 0x54)
        code = ctypes.CFUNCTYPE(c_ulong)(address)(*arguments)
        if code:
            raise CryptokiError(name, code)


class _Template:
    """Attributes as the library takes them, and the memory that they point at."""

    def __init__(self, values: Attributes) -> None:
        self._memory = [_buffer(kind, value) for kind, value in values.items()]
        self.array = (_Attribute * len(values))(*_attributes(values, self._memory))


def _attributes(values: Iterable[int], memory: Iterable[Any]) -> Iterable[_Attribute]:
    for kind, buffer in zip(values, memory, strict=True):
        yield _Attribute(kind, ctypes.addressof(buffer), ctypes.sizeof(buffer))


def _buffer(kind: int, value: bytes | int) -> Any:
    if isinstance(value, bool):
        return c_ubyte(value)
    if isinstance(value, int):
        return c_ulong(value)
    return (c_ubyte * len(value)).from_buffer_copy(value)
