"""Buckets: making, finding and deleting them, and who may use one."""

from typing import Any, Protocol

from hedgerow.base.errors import ServiceError
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager, scope_of
from hedgerow.core.request import Request
from hedgerow.services.s3.buckets.errors import (
    BucketAccessDenied,
    BucketIsYours,
    BucketNotEmpty,
    BucketTaken,
    InvalidBucketName,
    InvalidBucketRequest,
    NoSuchBucket,
    WrongLocation,
)
from hedgerow.services.s3.buckets.model import Bucket, is_bucket_name
from hedgerow.services.s3.buckets.store import BucketStore
from hedgerow.store import Answer, Tx

PAGE = 10_000


class Contents(Protocol):
    """What is in buckets."""

    def is_empty(self, tx: Tx, account: str, bucket: str) -> bool:
        """Tell whether there is no object in the bucket."""
        ...


class BucketOperations:
    """The operations on buckets, and `use` for those on objects."""

    def __init__(self, *, region: str, pager: Pager, contents: Contents) -> None:
        self._region = region
        self._pager = pager
        self._contents = contents
        self._store = BucketStore()

    def use(self, tx: Tx, name: str, account: str, expected_owner: str | None = None) -> None:
        """Raise NoSuchBucket or BucketAccessDenied unless the account may use the bucket."""
        bucket = self._store.get(tx, name)
        if bucket is None:
            raise NoSuchBucket(name)
        if bucket.account != account or (expected_owner is not None and expected_owner != account):
            raise BucketAccessDenied

    def provide(self, tx: Tx, name: str, account: str) -> None:
        """Make an internal bucket unless it is there."""
        if self._store.get(tx, name) is None:
            self._store.add(tx, Bucket(account=account, name=name, created_at=tx.now, internal=True))

    def create_bucket(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = request["Bucket"]
        if not is_bucket_name(name):
            raise InvalidBucketName(name)
        self._accept_defaults(request)
        found = self._store.get(tx, name)
        if found is not None:
            raise BucketIsYours(name) if found.account == caller.account else BucketTaken(name)
        self._store.add(tx, Bucket(account=caller.account, name=name, created_at=tx.now))
        return Answer({"Location": f"/{name}", "BucketArn": arn("s3", "", "", name)})

    def delete_bucket(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = self._named(tx, request, caller)
        if not self._contents.is_empty(tx, caller.account, name):
            raise BucketNotEmpty(name)
        self._store.drop(tx, caller.account, name)
        return Answer()

    def head_bucket(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = self._named(tx, request, caller)
        return Answer({"BucketRegion": self._region, "BucketArn": arn("s3", "", "", name), "AccessPointAlias": False})

    def get_bucket_location(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        self._named(tx, request, caller)
        # AWS answers nothing for its oldest region
        return Answer({"LocationConstraint": None if self._region == "us-east-1" else self._region})

    def list_buckets(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        prefix = request.get("Prefix") or ""
        region = request.get("BucketRegion")
        scope = scope_of(caller.account, "ListBuckets", request)
        try:
            after = self._pager.position(scope, request.get("ContinuationToken")) or ""
        except ServiceError as error:
            raise InvalidBucketRequest("The continuation token provided is incorrect") from error
        limit = min(int(request.get("MaxBuckets") or PAGE), PAGE)
        found = self._store.list(tx, caller.account, after=after, prefix=prefix, limit=limit + 1)
        if region not in (None, self._region):
            found = []
        answer: dict[str, Any] = {
            "Buckets": [
                {"Name": bucket.name, "CreationDate": bucket.created_at, "BucketRegion": self._region}
                for bucket in found[:limit]
            ],
            "Owner": {"ID": caller.account},
        }
        if prefix:
            answer["Prefix"] = prefix
        if len(found) > limit:
            answer["ContinuationToken"] = self._pager.token(scope, found[limit - 1].name)
        return Answer(answer)

    def _named(self, tx: Tx, request: Request, caller: Caller) -> str:
        name: str = request["Bucket"]
        self.use(tx, name, caller.account, request.get("ExpectedBucketOwner"))
        return name

    def _accept_defaults(self, request: Request) -> None:
        """Read what asks for nothing but what is done anyway; the rest stays unread and is refused by name."""
        if request.peek("ACL") == "private":
            request.get("ACL")
        if request.peek("ObjectOwnership") == "BucketOwnerEnforced":
            request.get("ObjectOwnership")
        if request.peek("ObjectLockEnabledForBucket") is False:
            request.get("ObjectLockEnabledForBucket")
        configuration = request.get("CreateBucketConfiguration")
        wanted = configuration.get("LocationConstraint") if configuration is not None else None
        if wanted not in (None, "", self._region):
            raise WrongLocation(wanted, self._region)
