"""S3: operation → row."""

from hedgerow.api.operations import Also, Row, flow, read, write
from hedgerow.services.s3.buckets import BucketOperations
from hedgerow.services.s3.objects import ObjectFlows, ObjectOperations
from hedgerow.services.s3.uploads import FORGOTTEN, UploadFlows, UploadOperations
from hedgerow.store import Handler

BUCKET = "arn:aws:s3:::{Bucket}"
OBJECT = "arn:aws:s3:::{Bucket}/{Key}"
_LISTED = {"s3:prefix": "Prefix", "s3:delimiter": "Delimiter", "s3:max-keys": "MaxKeys"}
_EACH = Also("s3:DeleteObject", "arn:aws:s3:::{Bucket}/{Delete.Objects.Key}")


def rows(*, buckets: BucketOperations, objects: ObjectOperations, flows: ObjectFlows) -> dict[str, Row]:
    """Answer the rows of the service `s3`. The actions are those that IAM policies name, not always the operation's."""
    return {
        "CreateBucket": write(buckets.create_bucket, BUCKET),
        "DeleteBucket": write(buckets.delete_bucket, BUCKET),
        "HeadBucket": read(buckets.head_bucket, BUCKET, action="s3:ListBucket"),
        "ListBuckets": read(buckets.list_buckets, action="s3:ListAllMyBuckets"),
        "GetBucketLocation": read(buckets.get_bucket_location, BUCKET),
        "PutObject": flow(flows.put_object, OBJECT),
        "GetObject": flow(flows.get_object, OBJECT),
        "HeadObject": read(objects.head_object, OBJECT, action="s3:GetObject"),
        # Reads one object and writes another, and a row asks one question: only who may do everything may copy.
        "CopyObject": write(objects.copy_object, action="s3:*"),
        "DeleteObject": write(objects.delete_object, OBJECT),
        "DeleteObjects": write(objects.delete_objects, action="", also=(_EACH,)),
        "ListObjectsV2": read(objects.list_objects_v2, BUCKET, action="s3:ListBucket", conditions=_LISTED),
        "ListObjects": read(objects.list_objects, BUCKET, action="s3:ListBucket", conditions=_LISTED),
    }


def upload_rows(*, uploads: UploadOperations, flows: UploadFlows) -> dict[str, Row]:
    """Answer the rows of uploads in parts."""
    return {
        "CreateMultipartUpload": write(uploads.create_multipart_upload, OBJECT, action="s3:PutObject"),
        "UploadPart": flow(flows.upload_part, OBJECT, action="s3:PutObject"),
        "CompleteMultipartUpload": flow(flows.complete_multipart_upload, OBJECT, action="s3:PutObject"),
        "AbortMultipartUpload": write(uploads.abort_multipart_upload, OBJECT),
        "ListParts": read(uploads.list_parts, OBJECT, action="s3:ListMultipartUploadParts"),
    }


def follow_up_rows(*, uploads: UploadOperations) -> dict[str, Handler]:
    """Answer what happens to uploads that nobody completes."""
    return {FORGOTTEN: uploads.on_forgotten}
