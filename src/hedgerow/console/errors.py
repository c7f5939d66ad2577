"""What can go wrong between the console and a cloud, in words that a person can act on."""

from hedgerow.base.errors import HedgerowError, Unavailable


class CloudUnreachable(Unavailable):
    """The cloud's API did not answer."""


class Refused(HedgerowError):
    """The cloud refused a call; the message is its own."""


class NotThere(HedgerowError):
    """What was asked for does not exist."""


class SessionOver(HedgerowError):
    """The person's credentials are over."""
