"""Signing in to the console by a one-time link."""

from hedgerow.services.hedgerow.sign_ins.follow_ups import SignInFollowUps
from hedgerow.services.hedgerow.sign_ins.operations import SignInOperations

__all__ = ["SignInFollowUps", "SignInOperations"]
