"""Uploads in parts."""

from hedgerow.services.s3.uploads.flows import UploadFlows
from hedgerow.services.s3.uploads.operations import FORGOTTEN, UploadOperations
from hedgerow.services.s3.uploads.store import UploadStore

__all__ = ["FORGOTTEN", "UploadFlows", "UploadOperations", "UploadStore"]
