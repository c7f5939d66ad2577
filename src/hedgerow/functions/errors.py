"""What can go wrong before a function's own code answers."""

from hedgerow.base.errors import HedgerowError, Unavailable


class RuntimeNotHere(HedgerowError):
    """This host has not what the runtime needs; the message says what it has."""


class PackageRefused(HedgerowError):
    """A deployment package that cannot be unpacked safely; the message says which entry and why."""


class InvalidEntrypoint(HedgerowError):
    """The package has no executable where its runtime looks for one."""


class TooBusy(Unavailable):
    """The function's queue is full, or no instance became free in time."""


class Stopped(Unavailable):
    """The function or the whole pool was stopped while the invocation waited."""
