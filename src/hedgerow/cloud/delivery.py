"""How Greengrass reaches other subjects: deployments by jobs and shadows, components from Lambda and S3."""

import json
from collections.abc import Mapping
from typing import Any, Final

from hedgerow.core.arn import arn
from hedgerow.core.events import Event
from hedgerow.core.shadow import ShadowError
from hedgerow.services.greengrassv2.components import LambdaVersion, Stored
from hedgerow.services.greengrassv2.deployments import Progress
from hedgerow.services.greengrassv2.errors import ValidationFailed
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.jobs import Job, Jobs, JobStatus, JobStore, Selection, Settings
from hedgerow.services.iot.shadows import Shadows
from hedgerow.services.lambda_.functions import FunctionReader
from hedgerow.services.s3.objects import ObjectFlows, ObjectStore
from hedgerow.store import Run, Tx

_KEPT: Final = "artifact"
NAMESPACE: Final = "aws-gg-deployment"
SHADOW: Final = "AWSManagedGreengrassV2Deployment"

Events = tuple[Event, ...]


class DeploymentJobs:
    """Deployments to groups, as continuous jobs."""

    def __init__(self, *, jobs: Jobs, store: JobStore) -> None:
        self._jobs = jobs
        self._store = store

    def start(
        self, tx: Tx, account: str, *, job: str, group: str, document: Mapping[str, Any], timeout_minutes: int | None
    ) -> Events:
        wanted = Job(
            id=job,
            things=(),
            groups=(group,),
            selection=Selection.CONTINUOUS,
            document=_text(document),
            namespace=NAMESPACE,
            settings=Settings(timeout_minutes=timeout_minutes),
        )
        try:
            return self._jobs.create(tx, account, wanted)
        except InvalidRequest as error:  # the document is too long
            raise ValidationFailed(error.message, field="components") from error

    def stop(self, tx: Tx, account: str, job: str) -> Events:
        there = self._store.get(tx, account, job)
        if there is None or there.status is not JobStatus.IN_PROGRESS:
            return ()
        return self._jobs.cancel(tx, account, job, force=False, reason_code=None, comment=None)[1]

    def arn(self, region: str, account: str, job: str) -> str:
        return arn("iot", region, account, f"job/{job}")

    def maybe_progress(self, tx: Tx, account: str, job: str, thing: str) -> Progress | None:
        one = self._store.executions.latest(tx, account, job, thing)
        if one is None:
            return None
        return Progress(
            status=one.status.value,
            reason=one.details.get("deployment-failure-cause", ""),
            error_stack=_words(one.details.get("deployment-error-stack")),
            error_types=_words(one.details.get("deployment-error-types")),
            changed_at=one.updated_at,
        )


class DeploymentShadowDocuments:
    """Deployments to single things, in their deployment shadow."""

    def __init__(self, *, shadows: Shadows) -> None:
        self._shadows = shadows

    def set_desired(
        self, tx: Tx, account: str, thing: str, *, document: Mapping[str, Any], configuration_arn: str, status: str
    ) -> Events:
        desired = {
            "fleetConfig": _text(document),
            "fleetConfigurationArn": configuration_arn,
            "desiredStatus": status,
        }
        try:
            return self._shadows.set_desired(tx, account, thing, SHADOW, desired)
        except ShadowError as error:
            raise ValidationFailed(f"The deployment is too large: {error.message}", field="components") from error

    def maybe_progress(self, tx: Tx, account: str, thing: str, configuration_arn: str) -> Progress | None:
        reported = self._shadows.maybe_reported(tx, account, thing, SHADOW)
        if reported is None or reported.get("fleetConfigurationArnForStatus") != configuration_arn:
            return None
        details = reported.get("statusDetails")
        told: Mapping[str, Any] = details if isinstance(details, Mapping) else {}
        return Progress(
            status=str(reported.get("status")),
            reason=str(told.get("failureCause") or ""),
            error_stack=_strings(told.get("errorStack")),
            error_types=_strings(told.get("errorTypes")),
        )


class ComponentArtifacts:
    """Artifacts of components: blobs, named by an object in the account's service-owned bucket so that they stay."""

    def __init__(self, *, run: Run, objects: ObjectStore, links: ObjectFlows) -> None:
        self._run = run
        self._objects = objects
        self._links = links

    async def keep_object(self, account: str, bucket: str, key: str) -> Stored | None:
        found = await self._run.read(lambda tx: self._objects.get(tx, account, bucket, key))
        return None if found is None else await self.keep_blob(account, found.digest, found.size)

    async def keep_blob(self, account: str, digest: str, size: int) -> Stored:
        await self._links.link_to_blob(account, digest, size, _KEPT)
        return Stored(reference=digest, sha256=digest, size=size)

    async def url(self, account: str, reference: str, size: int, file_name: str) -> str:
        return await self._links.link_to_blob(account, reference, size, file_name)


class ComponentFunctions:
    """Versions of Lambda functions, as components are made of them."""

    def __init__(self, *, functions: FunctionReader) -> None:
        self._functions = functions

    def version(self, tx: Tx, account: str, arn: str) -> LambdaVersion | None:
        found = self._functions.version(tx, account, arn)
        if found is None:
            return None
        return LambdaVersion(
            arn=found.arn,
            name=found.name,
            version=found.version,
            handler=found.settings.handler,
            runtime=found.settings.runtime,
            description=found.settings.description,
            digest=found.code.digest,
            size=found.code.size,
            environment=dict(found.settings.environment or {}),
        )


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _words(text: str | None) -> tuple[str, ...]:
    """Read a list that a core device wrote as JSON text; devices cut long ones off in the middle."""
    try:
        return _strings(json.loads(text)) if text else ()
    except ValueError:
        return ()


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()
