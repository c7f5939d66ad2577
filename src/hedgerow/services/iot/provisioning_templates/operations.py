"""The operations on provisioning templates and their versions.

A body is checked when it is made. A hook that could not be asked is refused here with the reason.
Spec: AWS IoT CreateProvisioningTemplate ….
"""

from dataclasses import replace
from typing import Any, Protocol

from hedgerow.core import template as language
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.provisioning_templates.errors import (
    DefaultVersion,
    InvalidHook,
    InvalidTemplateBody,
    RoleUnusable,
    TemplateExists,
    TemplateInUse,
    TemplateNotFound,
    TemplateVersionNotFound,
    TooManyTemplates,
    TooManyVersions,
)
from hedgerow.services.iot.provisioning_templates.model import (
    FLEET,
    JUST_IN_TIME,
    MOST,
    VERSIONS,
    Hook,
    ProvisioningTemplate,
    TemplateVersion,
    checked_hook,
    checked_name,
)
from hedgerow.services.iot.provisioning_templates.store import TemplateStore
from hedgerow.store import Answer, Tx


class Roles(Protocol):
    """What templates need of IAM."""

    def by_arn(self, tx: Tx, account: str, arn: str) -> object | None:
        """Answer the account's role with this ARN, or None."""
        ...


class Hooks(Protocol):
    """What templates need of functions."""

    def refusal(self, tx: Tx, account: str, function_arn: str, *, template_arn: str) -> str | None:
        """Answer why AWS IoT may not invoke the function for this template, None when it may."""
        ...


class Authorities(Protocol):
    """What templates need of CA certificates."""

    def use_template(self, tx: Tx, account: str, name: str) -> bool:
        """Tell whether a CA certificate of the account has its devices provisioned by this template."""
        ...


class TemplateOperations:
    """The operations on provisioning templates."""

    def __init__(
        self, *, templates: TemplateStore, authorities: Authorities, roles: Roles, hooks: Hooks, pages: Pages
    ) -> None:
        self._templates = templates
        self._authorities = authorities
        self._roles = roles
        self._hooks = hooks
        self._pages = pages

    def create_provisioning_template(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = checked_name(request["templateName"])
        kind = request.get("type", FLEET)
        body = _checked_body(request["templateBody"], kind)
        template = ProvisioningTemplate(
            name=name,
            description=request.get("description"),
            enabled=bool(request.get("enabled")),
            role_arn=self._role(tx, caller, request["provisioningRoleArn"]),
            hook=self._hook(tx, caller, name, kind, request.get("preProvisioningHook")),
            type=kind,
            default_version=1,
            last_version=1,
            created_at=tx.now,
            updated_at=tx.now,
        )
        if self._templates.get(tx, caller.account, name) is not None:
            raise TemplateExists(name, template_arn=template_arn(caller, name))
        if self._templates.count(tx, caller.account) >= MOST:
            raise TooManyTemplates(MOST)
        self._templates.add(tx, caller.account, template, body)
        return Answer({**_named(caller, name), "defaultVersionId": 1})

    def describe_provisioning_template(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        template = self._get(tx, caller, request["templateName"])
        version = self._version(tx, caller, template, template.default_version)
        described = {
            **_listed(caller, template),
            "defaultVersionId": template.default_version,
            "templateBody": version.body,
            "provisioningRoleArn": template.role_arn,
        }
        if template.hook is not None:
            described["preProvisioningHook"] = {
                "payloadVersion": template.hook.payload_version,
                "targetArn": template.hook.function_arn,
            }
        return Answer(described)

    def list_provisioning_templates(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        page = self._pages.by_token(request, caller, "ListProvisioningTemplates")
        found = self._templates.list(tx, caller.account, after=page.after(), limit=page.limit)
        return Answer(page.answer("templates", found, key=lambda t: (t.name,), show=lambda t: _listed(caller, t)))

    def update_provisioning_template(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        template = self._get(tx, caller, request["templateName"])
        hook, remove = request.get("preProvisioningHook"), bool(request.get("removePreProvisioningHook"))
        if hook is not None and remove:
            raise InvalidRequest("preProvisioningHook and removePreProvisioningHook cannot be given together")
        changes: dict[str, Any] = {"updated_at": tx.now}
        if "description" in request:
            changes["description"] = request["description"]
        if "enabled" in request:
            changes["enabled"] = request["enabled"]
        if "provisioningRoleArn" in request:
            changes["role_arn"] = self._role(tx, caller, request["provisioningRoleArn"])
        if "defaultVersionId" in request:
            changes["default_version"] = self._possible_default(tx, caller, template, request["defaultVersionId"])
        if hook is not None or remove:
            changes["hook"] = self._hook(tx, caller, template.name, template.type, hook)
        self._templates.put(tx, caller.account, replace(template, **changes))
        return Answer({})

    def delete_provisioning_template(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        template = self._get(tx, caller, request["templateName"])
        if template.just_in_time and self._authorities.use_template(tx, caller.account, template.name):
            raise TemplateInUse(template.name)
        self._templates.remove(tx, caller.account, template.name)
        return Answer({})

    def create_provisioning_template_version(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        template = self._get(tx, caller, request["templateName"])
        body, default = _checked_body(request["templateBody"], template.type), bool(request.get("setAsDefault"))
        if len(self._templates.versions(tx, caller.account, template.name)) >= VERSIONS:
            raise TooManyVersions(template.name, VERSIONS)
        changed = template.with_version(default=default, now=tx.now)
        self._templates.put(tx, caller.account, changed)
        self._templates.add_version(tx, caller.account, template.name, changed.last_version, body)
        return Answer({**_named(caller, template.name), "versionId": changed.last_version, "isDefaultVersion": default})

    def describe_provisioning_template_version(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        template = self._get(tx, caller, request["templateName"])
        version = self._version(tx, caller, template, request["versionId"])
        return Answer({**_version_listed(template, version), "templateBody": version.body})

    def list_provisioning_template_versions(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        template = self._get(tx, caller, request["templateName"])
        page = self._pages.by_token(request, caller, "ListProvisioningTemplateVersions", template=template.name)
        found = self._templates.versions(tx, caller.account, template.name, after=page.after(0), limit=page.limit)
        return Answer(
            page.answer("versions", found, key=lambda v: (v.number,), show=lambda v: _version_listed(template, v))
        )

    def delete_provisioning_template_version(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        template = self._get(tx, caller, request["templateName"])
        version = self._version(tx, caller, template, request["versionId"])
        if version.number == template.default_version:
            raise DefaultVersion(f"Unable to delete template version {version.number}, it is the default version")
        self._templates.remove_version(tx, caller.account, template.name, version.number)
        return Answer({})

    def _get(self, tx: Tx, caller: Caller, name: str) -> ProvisioningTemplate:
        template = self._templates.get(tx, caller.account, name)
        if template is None:
            raise TemplateNotFound(name)
        return template

    def _version(self, tx: Tx, caller: Caller, template: ProvisioningTemplate, number: int) -> TemplateVersion:
        version = self._templates.version(tx, caller.account, template.name, number)
        if version is None:
            raise TemplateVersionNotFound(template.name, number)
        return version

    def _possible_default(self, tx: Tx, caller: Caller, template: ProvisioningTemplate, number: int) -> int:
        if self._templates.version(tx, caller.account, template.name, number) is None:
            raise DefaultVersion(f"Unable to set version {number} as the default, version does not exist")
        return number

    def _role(self, tx: Tx, caller: Caller, role_arn: str) -> str:
        if self._roles.by_arn(tx, caller.account, role_arn) is None:
            raise RoleUnusable(f"The provisioning role {role_arn} does not exist in account {caller.account}")
        return role_arn

    def _hook(self, tx: Tx, caller: Caller, name: str, kind: str, written: Request | None) -> Hook | None:
        if written is None:
            return None
        if kind != FLEET:
            raise InvalidHook(f"Provisioning hook is not supported for template type: {kind}")
        hook = checked_hook(written["targetArn"], written.get("payloadVersion"))
        why = self._hooks.refusal(tx, caller.account, hook.function_arn, template_arn=template_arn(caller, name))
        if why is not None:
            raise InvalidHook(f"Access denied during lambda validation: {hook.function_arn} ({why})")
        return hook


def template_arn(caller: Caller, name: str) -> str:
    """Make the ARN of one of the caller's templates."""
    return arn("iot", caller.region, caller.account, f"provisioningtemplate/{name}")


def _checked_body(body: str, kind: str) -> str:
    try:
        language.tried(body, language.Use.JUST_IN_TIME if kind == JUST_IN_TIME else language.Use.CLAIM)
    except language.BadTemplate as error:
        raise InvalidTemplateBody(str(error)) from error
    return body


def _named(caller: Caller, name: str) -> dict[str, Any]:
    return {"templateArn": template_arn(caller, name), "templateName": name}


def _listed(caller: Caller, template: ProvisioningTemplate) -> dict[str, Any]:
    listed = {
        **_named(caller, template.name),
        "creationDate": template.created_at,
        "lastModifiedDate": template.updated_at,
        "enabled": template.enabled,
        "type": template.type,
    }
    if template.description is not None:
        listed["description"] = template.description
    return listed


def _version_listed(template: ProvisioningTemplate, version: TemplateVersion) -> dict[str, Any]:
    return {
        "versionId": version.number,
        "creationDate": version.created_at,
        "isDefaultVersion": version.number == template.default_version,
    }
