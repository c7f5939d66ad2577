"""Builds what keeps and runs: S3, Lambda and the workers of its functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hedgerow.base.clock import Clock
from hedgerow.base.ids import Ids
from hedgerow.cloud.account_files import AccountFiles
from hedgerow.cloud.function_roles import FunctionRoles
from hedgerow.cloud.identity import Identity
from hedgerow.cloud.links import FunctionLinks, Signers
from hedgerow.cloud.operations import lambda_ as lambda_rows
from hedgerow.cloud.operations import s3 as s3_rows
from hedgerow.cloud.rows import Tables
from hedgerow.cloud.sweeping import Naming
from hedgerow.cloud.workers import CloudWorkers
from hedgerow.core.paging import Pager
from hedgerow.functions import Driver
from hedgerow.services.iot.registration_tasks import RegistrationTaskStore
from hedgerow.services.lambda_.aliases import AliasOperations, AliasStore
from hedgerow.services.lambda_.functions import FunctionOperations, FunctionReader, FunctionStore, LambdaFlows
from hedgerow.services.lambda_.permissions import PermissionOperations, PermissionStore
from hedgerow.services.logs.groups import LogOperations
from hedgerow.services.s3.buckets import BucketOperations
from hedgerow.services.s3.objects import BodyChecksums, ObjectFlows, ObjectOperations, ObjectStore
from hedgerow.services.s3.uploads import UploadFlows, UploadOperations, UploadStore
from hedgerow.store import Blobs, Run

NAMING: Final[Sequence[Naming]] = (ObjectStore(), UploadStore(), FunctionStore(), RegistrationTaskStore())
"""Everyone whose rows name blobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """`workers` and `functions` are to be entered, in this order, before the first call."""

    workers: CloudWorkers
    functions: LambdaFlows
    versions: FunctionReader
    objects: ObjectFlows
    files: AccountFiles


def build_compute(
    *,
    tables: Tables,
    run: Run,
    clock: Clock,
    ids: Ids,
    region: str,
    pager: Pager,
    folder: Path,
    driver: Driver,
    copy_runtimes: bool,
    blobs: Blobs,
    identity: Identity,
    logs: LogOperations,
    endpoint: Callable[[], str],
    surroundings: Callable[[], Mapping[str, str]],
) -> Compute:
    """Build it and enter its rows. `endpoint` is where links lead, `surroundings` what functions are told."""
    signers = Signers(run=run, keys=identity.access_keys, roots=identity.root_keys, endpoint=endpoint)
    buckets = BucketOperations(region=region, pager=pager, contents=ObjectStore())
    objects = ObjectOperations(buckets=buckets, pager=pager)
    object_flows = ObjectFlows(
        run=run, blobs=blobs, operations=objects, buckets=buckets, signers=signers, clock=clock, region=region
    )
    tables.serve("s3", s3_rows.rows(buckets=buckets, objects=objects, flows=object_flows))
    uploads = UploadOperations(ids=ids, buckets=buckets, objects=objects)
    upload_flows = UploadFlows(run=run, blobs=blobs, operations=uploads, checksums=BodyChecksums())
    tables.serve("s3", s3_rows.upload_rows(uploads=uploads, flows=upload_flows))
    tables.follow(s3_rows.follow_up_rows(uploads=uploads))
    roles = FunctionRoles(run=run, roles=identity.roles, mint=identity.mint, surroundings=surroundings)
    workers = CloudWorkers(
        folder=folder,
        run=run,
        files=blobs,
        logs=logs,
        grant_for=roles.grant_for,
        driver=driver,
        copy_runtimes=copy_runtimes,
        clock=clock,
        ids=ids,
    )
    aliases, permission_rows = AliasStore(), PermissionStore()
    reader = FunctionReader(aliases=aliases, region=region)
    operations = FunctionOperations(
        ids=ids, pager=pager, reader=reader, roles=roles, dependents=(aliases, permission_rows)
    )
    permissions = PermissionOperations(functions=reader)
    functions = LambdaFlows(
        run=run,
        ids=ids,
        region=region,
        operations=operations,
        reader=reader,
        permissions=permissions,
        workers=workers,
        blobs=blobs,
        objects=object_flows,
        links=FunctionLinks(objects=object_flows),
    )
    tables.serve(
        "lambda",
        lambda_rows.rows(
            functions=operations,
            flows=functions,
            aliases=AliasOperations(ids=ids, pager=pager, functions=reader),
            permissions=permissions,
        ),
    )
    tables.follow(lambda_rows.follow_up_rows(flows=functions))
    return Compute(
        workers=workers,
        functions=functions,
        versions=reader,
        objects=object_flows,
        files=AccountFiles(run=run, blobs=blobs, buckets=buckets, objects=object_flows, region=region),
    )
