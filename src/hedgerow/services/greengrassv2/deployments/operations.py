"""Deployments as operators ask for them. Spec: Greengrass V2 API, "deployments".

For a thing the document goes into its deployment shadow, for a group into a continuous IoT job; both in the operation's
own transaction. A new revision makes the target's former one INACTIVE and cancels its job.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from hedgerow.base.ids import Ids
from hedgerow.core.arn import parse
from hedgerow.core.caller import Caller
from hedgerow.core.recipe import RecipeError, VersionError, component_name, version
from hedgerow.core.request import Request
from hedgerow.services.greengrassv2.deployments.errors import DeploymentConflict, NoSuchDeployment, NoSuchTarget
from hedgerow.services.greengrassv2.deployments.model import GROUP, THING, Deployment, Policies, Status
from hedgerow.services.greengrassv2.deployments.ports import Components, DeploymentShadows, Events, GroupJobs, Names
from hedgerow.services.greengrassv2.deployments.store import DeploymentStore
from hedgerow.services.greengrassv2.errors import ValidationFailed
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx

_FROM_DEVICES: Final = {"SUCCEEDED": "COMPLETED", "FAILED": "FAILED", "REJECTED": "FAILED"}


class DeploymentOperations:
    """Creates, shows, cancels and deletes deployments."""

    def __init__(
        self,
        *,
        store: DeploymentStore,
        components: Components,
        things: Names,
        groups: Names,
        jobs: GroupJobs,
        shadows: DeploymentShadows,
        ids: Ids,
        pages: Pages,
        anywhere: frozenset[str],
    ) -> None:
        self._store = store
        self._components = components
        self._things = things
        self._groups = groups
        self._jobs = jobs
        self._shadows = shadows
        self._ids = ids
        self._pages = pages
        self._anywhere = anywhere  # what every core device is or has (the nucleus): any version may be named

    def create_deployment(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        token = request.get("clientToken")
        before = self._store.by_token(tx, caller.account, token) if token else None
        if before is not None:
            request.take_all()
            return Answer(self._created(before, caller))
        target = self._target(tx, request["targetArn"], caller)
        counted = self._store.counted(tx, caller.account, target)
        deployment = Deployment(
            id=self._ids.uuid(),
            target=target,
            revision=counted.revision + 1,
            name=request.get("deploymentName"),
            components=self._wanted(tx, request, caller),
            policies=_policies(request),
            stamp_ms=max(int(tx.now * 1000), counted.stamp_ms + 1),
            created_at=tx.now,
            job=self._ids.uuid() if target.startswith(GROUP) else None,
            timeout_minutes=_timeout(request, target),
            tags=request.take_all("tags") or {},
            client_token=token,
        )
        last = self._store.last(tx, caller.account, target)
        events = () if last is None else self._retire(tx, last, caller)
        self._store.add(tx, caller.account, deployment)
        return Answer(self._created(deployment, caller), events + self._sent(tx, deployment, caller))

    def _target(self, tx: Tx, text: str, caller: Caller) -> str:
        target = _own_target(text, caller)
        for prefix, names in ((THING, self._things), (GROUP, self._groups)):
            if target.startswith(prefix):
                if not names.exists(tx, caller.account, target.removeprefix(prefix)):
                    raise NoSuchTarget(text, prefix.rstrip("/"))
                return target
        raise ValidationFailed(f"{text} is neither a thing nor a thing group.", field="targetArn")

    def _wanted(self, tx: Tx, request: Request, caller: Caller) -> Mapping[str, Any]:
        wanted: Mapping[str, Any] = request.take_all("components") or {}
        missing = []
        for name, one in wanted.items():
            _check_component(name, one)
            if name not in self._anywhere and not self._components.exists(
                tx, caller.account, name, one["componentVersion"]
            ):
                missing.append(f"{name} {one['componentVersion']}")
        if missing:
            raise ValidationFailed(f"These component versions do not exist: {', '.join(missing)}.", field="components")
        return wanted

    def _sent(self, tx: Tx, deployment: Deployment, caller: Caller) -> Events:
        document = deployment.document(caller.region, caller.account)
        if deployment.job is not None and deployment.group is not None:
            return self._jobs.start(
                tx,
                caller.account,
                job=deployment.job,
                group=deployment.group,
                document=document,
                timeout_minutes=deployment.timeout_minutes,
            )
        return self._tell_thing(tx, deployment, caller, "SUCCEEDED")

    def _tell_thing(self, tx: Tx, deployment: Deployment, caller: Caller, status: str) -> Events:
        return self._shadows.set_desired(
            tx,
            caller.account,
            deployment.thing or "",
            document=deployment.document(caller.region, caller.account),
            configuration_arn=deployment.configuration_arn(caller.region, caller.account),
            status=status,
        )

    def _retire(self, tx: Tx, last: Deployment, caller: Caller) -> Events:
        status = Status.INACTIVE if last.status is Status.ACTIVE else last.status
        self._store.put(tx, caller.account, replace(last, status=status, latest=False))
        return () if last.job is None else self._jobs.stop(tx, caller.account, last.job)

    def get_deployment(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        one = self._present(tx, request, caller)
        policies = one.policies
        response: dict[str, Any] = {
            **self._listed(tx, one, caller),
            "components": one.components,
            "deploymentPolicies": {
                "failureHandlingPolicy": policies.on_failure,
                "componentUpdatePolicy": {
                    "timeoutInSeconds": policies.update_timeout_s,
                    "action": policies.update_action,
                },
                "configurationValidationPolicy": {"timeoutInSeconds": policies.validation_timeout_s},
            },
            "iotJobConfiguration": _job_configuration(one),
            "tags": dict(one.tags),
        }
        if one.job is not None:
            response |= {"iotJobId": one.job, "iotJobArn": self._jobs.arn(caller.region, caller.account, one.job)}
        return Answer(response)

    def list_deployments(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        target = _own_target(request.get("targetArn"), caller)
        history = request.get("historyFilter") or "LATEST_ONLY"
        page = self._pages.by_token(request, caller, "ListDeployments", target=target, history=history)
        before, after = page.position or (None, "")
        found = self._store.list(
            tx,
            caller.account,
            target=target,
            latest_only=history == "LATEST_ONLY",
            before=before,
            after=after,
            limit=page.limit,
        )
        return Answer(
            page.answer(
                "deployments",
                found,
                key=lambda one: (one.created_at, one.id),
                show=lambda one: self._listed(tx, one, caller),
            )
        )

    def reached(self, tx: Tx, request: Request, caller: Caller) -> tuple[str, str]:
        """Answer the right (action, ARN) that cancelling needs beside its own: to the job, or the shadow, of it."""
        one = self._present(tx, request, caller)
        if one.job is None:
            return "iot:UpdateThingShadow", one.target_arn(caller.region, caller.account)
        return "iot:CancelJob", self._jobs.arn(caller.region, caller.account, one.job)

    def cancel_deployment(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        one = self._present(tx, request, caller)
        if one.status is not Status.ACTIVE:
            raise DeploymentConflict(f"The deployment is {one.status.value} and cannot be canceled.", one.id)
        self._store.put(tx, caller.account, replace(one, status=Status.CANCELED))
        if one.job is not None:
            events = self._jobs.stop(tx, caller.account, one.job)
        else:
            events = self._tell_thing(tx, one, caller, "CANCELED")
        return Answer({"message": f"The deployment {one.id} was canceled."}, events)

    def delete_deployment(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        one = self._present(tx, request, caller)
        if one.status is Status.ACTIVE:
            raise DeploymentConflict("The deployment is ACTIVE: cancel it before it is deleted.", one.id)
        self._store.remove(tx, caller.account, one.id)
        return Answer()

    def _present(self, tx: Tx, request: Request, caller: Caller) -> Deployment:
        one = self._store.get(tx, caller.account, request["deploymentId"])
        if one is None:
            raise NoSuchDeployment(request["deploymentId"])
        return one

    def _created(self, one: Deployment, caller: Caller) -> dict[str, Any]:
        if one.job is None:
            return {"deploymentId": one.id}
        arn = self._jobs.arn(caller.region, caller.account, one.job)
        return {"deploymentId": one.id, "iotJobId": one.job, "iotJobArn": arn}

    def _listed(self, tx: Tx, one: Deployment, caller: Caller) -> dict[str, Any]:
        answer = {
            "targetArn": one.target_arn(caller.region, caller.account),
            "revisionId": str(one.revision),
            "deploymentId": one.id,
            "creationTimestamp": one.created_at,
            "deploymentStatus": self._status(tx, one, caller),
            "isLatestForTarget": one.latest,
        }
        return answer | ({"deploymentName": one.name} if one.name else {})

    def _status(self, tx: Tx, one: Deployment, caller: Caller) -> str:
        """A deployment to a thing is over when the thing says so; one to a group goes on for who joins later."""
        if one.status is not Status.ACTIVE or one.thing is None:
            return str(one.status.value)
        arn = one.configuration_arn(caller.region, caller.account)
        progress = self._shadows.maybe_progress(tx, caller.account, one.thing, arn)
        told: str | None = _FROM_DEVICES.get(progress.status if progress else "")
        return told or str(one.status.value)


def _own_target(text: str | None, caller: Caller) -> str:
    """Answer `thing/T` or `thinggroup/G` of the caller's account, "" where nothing is named."""
    if text is None:
        return ""
    parts = parse(text)
    if parts is None or (parts.service, parts.account, parts.region) != ("iot", caller.account, caller.region):
        raise ValidationFailed(f"{text} is not of account {caller.account} in {caller.region}.", field="targetArn")
    return parts.resource


def _check_component(name: str, one: Mapping[str, Any]) -> None:
    try:
        component_name(name)
        version(one["componentVersion"])
    except (RecipeError, VersionError) as error:
        raise ValidationFailed(str(error), field="components") from error
    update = one.get("configurationUpdate") or {}
    if "merge" in update:
        try:
            merge = json.loads(update["merge"])
        except (ValueError, RecursionError) as error:
            raise ValidationFailed(f"The configuration to merge into {name} is not JSON.", field="merge") from error
        if not isinstance(merge, dict):
            raise ValidationFailed(f"The configuration to merge into {name} is not a JSON object.", field="merge")
    for pointer in update.get("reset", ()):
        if pointer and not pointer.startswith("/"):
            raise ValidationFailed(f"{pointer!r} in the resets of {name} is no JSON pointer.", field="reset")


def _policies(request: Request) -> Policies:
    given = request.get("deploymentPolicies") or {}
    update = given.get("componentUpdatePolicy") or {}
    validation = given.get("configurationValidationPolicy") or {}
    plain = Policies()
    return Policies(
        on_failure=given.get("failureHandlingPolicy") or plain.on_failure,
        update_action=update.get("action") or plain.update_action,
        update_timeout_s=_seconds(update.get("timeoutInSeconds"), plain.update_timeout_s),
        validation_timeout_s=_seconds(validation.get("timeoutInSeconds"), plain.validation_timeout_s),
    )


def _seconds(given: int | None, default: int) -> int:
    if given is not None and given <= 0:
        raise ValidationFailed("timeoutInSeconds must be positive.", field="timeoutInSeconds")
    return default if given is None else given


def _timeout(request: Request, target: str) -> int | None:
    if "iotJobConfiguration" not in request:
        return None
    if not target.startswith(GROUP):
        raise ValidationFailed(
            "iotJobConfiguration is for thing groups; a thing is not reached by a job.", field="iotJobConfiguration"
        )
    configuration = request["iotJobConfiguration"]
    minutes: int | None = (configuration.get("timeoutConfig") or {}).get("inProgressTimeoutInMinutes")
    if minutes is not None and not 1 <= minutes <= 10_080:
        raise ValidationFailed("inProgressTimeoutInMinutes must be 1 to 10080.", field="inProgressTimeoutInMinutes")
    return minutes


def _job_configuration(one: Deployment) -> dict[str, Any]:
    if one.timeout_minutes is None:
        return {}
    return {"timeoutConfig": {"inProgressTimeoutInMinutes": one.timeout_minutes}}
