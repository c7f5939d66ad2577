"""Credentials that users of AWS can have besides access keys, and that nobody has here."""

from hedgerow.services.iam.other_credentials.operations import OtherCredentialOperations

__all__ = ["OtherCredentialOperations"]
