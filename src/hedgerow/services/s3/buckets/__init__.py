"""Buckets and who owns them."""

from hedgerow.services.s3.buckets.operations import BucketOperations, Contents

__all__ = ["BucketOperations", "Contents"]
