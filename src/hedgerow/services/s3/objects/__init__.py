"""Objects: their bytes, their listings."""

from hedgerow.services.s3.objects.checksums import BodyChecksums
from hedgerow.services.s3.objects.flows import ObjectFlows, Signers
from hedgerow.services.s3.objects.operations import Buckets, ObjectOperations
from hedgerow.services.s3.objects.store import ObjectStore

__all__ = ["BodyChecksums", "Buckets", "ObjectFlows", "ObjectOperations", "ObjectStore", "Signers"]
