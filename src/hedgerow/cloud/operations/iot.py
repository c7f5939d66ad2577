"""The registry's rows of the service `iot`: things, groups, certificates, policies, role aliases, provisioning.

Rules have their own function beside it. A `$aws` topic is answered to the asking connection alone.
"""

from collections.abc import Callable

from hedgerow.api.operations import Also, Row, pass_role, read, write
from hedgerow.cloud.operations.iot_certificates import certificate_rows
from hedgerow.cloud.rows import TopicRow
from hedgerow.services.iot.billing_groups import BillingGroupOperations
from hedgerow.services.iot.certificates import CertificateFlows, CertificateOperations
from hedgerow.services.iot.endpoints import EndpointOperations
from hedgerow.services.iot.groups import GroupOperations
from hedgerow.services.iot.policies import AuthorizationTestOperations, PolicyAttachmentOperations, PolicyOperations
from hedgerow.services.iot.provisioning import ENROLMENT_OVER, UNCLAIMED, ProvisioningFlows, ProvisioningFollowUps
from hedgerow.services.iot.provisioning_templates import TemplateOperations
from hedgerow.services.iot.role_aliases import RoleAliasOperations
from hedgerow.services.iot.thing_types import ThingTypeOperations
from hedgerow.services.iot.things import ThingOperations, ThingPrincipalOperations
from hedgerow.store import Answer, FollowUp, Tx

_OWN = "arn:aws:iot:{region}:{account}:"
_THING = _OWN + "thing/{thingName}"
_TYPE = _OWN + "thingtype/{thingTypeName}"
_GROUP = _OWN + "thinggroup/{thingGroupName}"
_JOINED = _OWN + "thinggroup/{thingGroupName|thingGroupArn}"
_JOINING = _OWN + "thing/{thingName|thingArn}"
_BILLING = _OWN + "billinggroup/{billingGroupName}"
_BILLED = _OWN + "billinggroup/{billingGroupName|billingGroupArn}"
_POLICY = _OWN + "policy/{policyName}"
_ALIAS = _OWN + "rolealias/{roleAlias}"
_TEMPLATE = _OWN + "provisioningtemplate/{templateName}"
_TO_ALIAS = (pass_role("roleArn", to="credentials.iot.amazonaws.com"),)
_TO_TEMPLATE = (pass_role("provisioningRoleArn", to="iot.amazonaws.com"),)
_ADDED, _LEFT = (_OWN + f"thinggroup/{{{member}}}" for member in ("thingGroupsToAdd", "thingGroupsToRemove"))


def rows(
    *,
    things: ThingOperations,
    principals: ThingPrincipalOperations,
    types: ThingTypeOperations,
    groups: GroupOperations,
    billing: BillingGroupOperations,
    certificates: CertificateOperations,
    certificate_flows: CertificateFlows,
    policies: PolicyOperations,
    attachments: PolicyAttachmentOperations,
    role_aliases: RoleAliasOperations,
    endpoints: EndpointOperations,
) -> dict[str, Row]:
    """Answer the rows of the service `iot` that belong to the registry."""
    return {
        **_thing_rows(things, principals, types),
        **_group_rows(groups),
        **_billing_rows(billing),
        **certificate_rows(certificates, certificate_flows),
        **_policy_rows(policies, attachments),
        "CreateRoleAlias": write(role_aliases.create_role_alias, _ALIAS, also=_TO_ALIAS),
        "DescribeRoleAlias": read(role_aliases.describe_role_alias, _ALIAS),
        "ListRoleAliases": read(role_aliases.list_role_aliases),
        "UpdateRoleAlias": write(role_aliases.update_role_alias, _ALIAS, also=_TO_ALIAS),
        "DeleteRoleAlias": write(role_aliases.delete_role_alias, _ALIAS),
        "DescribeEndpoint": read(endpoints.describe_endpoint),
    }


def _thing_rows(
    things: ThingOperations, principals: ThingPrincipalOperations, types: ThingTypeOperations
) -> dict[str, Row]:
    return {
        "CreateThing": write(things.create_thing, _THING, also=(Also("iot:AddThingToBillingGroup", _BILLING),)),
        "DescribeThing": read(things.describe_thing, _THING),
        "UpdateThing": write(things.update_thing, _THING),
        "DeleteThing": write(things.delete_thing, _THING),
        "ListThings": read(things.list_things),
        "AttachThingPrincipal": write(principals.attach_thing_principal, _THING),
        "DetachThingPrincipal": write(principals.detach_thing_principal, _THING),
        "ListThingPrincipals": read(principals.list_thing_principals, _THING),
        "ListThingPrincipalsV2": read(principals.list_thing_principals_v2, _THING),
        "ListPrincipalThings": read(principals.list_principal_things),
        "ListPrincipalThingsV2": read(principals.list_principal_things_v2),
        "CreateThingType": write(types.create_thing_type, _TYPE),
        "DescribeThingType": read(types.describe_thing_type, _TYPE),
        "UpdateThingType": write(types.update_thing_type, _TYPE),
        "ListThingTypes": read(types.list_thing_types),
        "DeprecateThingType": write(types.deprecate_thing_type, _TYPE),
        "DeleteThingType": write(types.delete_thing_type, _TYPE),
    }


def _group_rows(groups: GroupOperations) -> dict[str, Row]:
    return {
        "CreateThingGroup": write(groups.create_thing_group, _GROUP),
        "DescribeThingGroup": read(groups.describe_thing_group, _GROUP),
        "UpdateThingGroup": write(groups.update_thing_group, _GROUP),
        "DeleteThingGroup": write(groups.delete_thing_group, _GROUP),
        "ListThingGroups": read(groups.list_thing_groups),
        "AddThingToThingGroup": write(
            groups.add_thing_to_thing_group, _JOINED, also=(Also("iot:AddThingToThingGroup", _JOINING),)
        ),
        "RemoveThingFromThingGroup": write(
            groups.remove_thing_from_thing_group, _JOINED, also=(Also("iot:RemoveThingFromThingGroup", _JOINING),)
        ),
        "UpdateThingGroupsForThing": write(
            groups.update_thing_groups_for_thing,
            _THING,
            also=tuple(Also("iot:UpdateThingGroupsForThing", group) for group in (_ADDED, _LEFT)),
        ),
        "ListThingsInThingGroup": read(groups.list_things_in_thing_group, _GROUP),
        "ListThingGroupsForThing": read(groups.list_thing_groups_for_thing, _THING),
    }


def _billing_rows(billing: BillingGroupOperations) -> dict[str, Row]:
    return {
        "CreateBillingGroup": write(billing.create_billing_group, _BILLING),
        "DescribeBillingGroup": read(billing.describe_billing_group, _BILLING),
        "UpdateBillingGroup": write(billing.update_billing_group, _BILLING),
        "DeleteBillingGroup": write(billing.delete_billing_group, _BILLING),
        "ListBillingGroups": read(billing.list_billing_groups),
        "AddThingToBillingGroup": write(
            billing.add_thing_to_billing_group, _BILLED, also=(Also("iot:AddThingToBillingGroup", _JOINING),)
        ),
        "RemoveThingFromBillingGroup": write(
            billing.remove_thing_from_billing_group, _BILLED, also=(Also("iot:RemoveThingFromBillingGroup", _JOINING),)
        ),
        "ListThingsInBillingGroup": read(billing.list_things_in_billing_group, _BILLING),
    }


def _policy_rows(policies: PolicyOperations, attachments: PolicyAttachmentOperations) -> dict[str, Row]:
    return {
        "CreatePolicy": write(policies.create_policy, _POLICY),
        "GetPolicy": read(policies.get_policy, _POLICY),
        "ListPolicies": read(policies.list_policies),
        "DeletePolicy": write(policies.delete_policy, _POLICY),
        "CreatePolicyVersion": write(policies.create_policy_version, _POLICY),
        "GetPolicyVersion": read(policies.get_policy_version, _POLICY),
        "ListPolicyVersions": read(policies.list_policy_versions, _POLICY),
        "SetDefaultPolicyVersion": write(policies.set_default_policy_version, _POLICY),
        "DeletePolicyVersion": write(policies.delete_policy_version, _POLICY),
        "AttachPolicy": write(attachments.attach_policy, "{target}"),
        "DetachPolicy": write(attachments.detach_policy, "{target}"),
        "ListAttachedPolicies": read(attachments.list_attached_policies, "{target}"),
        "ListTargetsForPolicy": read(attachments.list_targets_for_policy, _POLICY),
        "AttachPrincipalPolicy": write(attachments.attach_principal_policy, "{principal}"),
        "DetachPrincipalPolicy": write(attachments.detach_principal_policy, "{principal}"),
        "ListPrincipalPolicies": read(attachments.list_principal_policies, "{principal}"),
        "ListPolicyPrincipals": read(attachments.list_policy_principals, _POLICY),
        "GetEffectivePolicies": read(attachments.get_effective_policies, "{principal}"),
    }


def authorization_rows(*, tests: AuthorizationTestOperations) -> dict[str, Row]:
    """Answer the row of the service `iot` that asks what would be allowed."""
    return {"TestAuthorization": read(tests.test_authorization, "{principal}")}


def template_rows(*, templates: TemplateOperations) -> dict[str, Row]:
    """Answer the rows of the service `iot` that belong to provisioning templates."""
    return {
        "CreateProvisioningTemplate": write(templates.create_provisioning_template, _TEMPLATE, also=_TO_TEMPLATE),
        "DescribeProvisioningTemplate": read(templates.describe_provisioning_template, _TEMPLATE),
        "ListProvisioningTemplates": read(templates.list_provisioning_templates),
        "UpdateProvisioningTemplate": write(templates.update_provisioning_template, _TEMPLATE, also=_TO_TEMPLATE),
        "DeleteProvisioningTemplate": write(templates.delete_provisioning_template, _TEMPLATE),
        "CreateProvisioningTemplateVersion": write(templates.create_provisioning_template_version, _TEMPLATE),
        "DescribeProvisioningTemplateVersion": read(templates.describe_provisioning_template_version, _TEMPLATE),
        "ListProvisioningTemplateVersions": read(templates.list_provisioning_template_versions, _TEMPLATE),
        "DeleteProvisioningTemplateVersion": write(templates.delete_provisioning_template_version, _TEMPLATE),
    }


def topic_rows(*, provisioning: ProvisioningFlows) -> list[TopicRow]:
    """Answer the rows of the provisioning topics, in both formats."""
    flows = {
        "$aws/certificates/create": provisioning.create,
        "$aws/certificates/create-from-csr": provisioning.create_from_csr,
        "$aws/provisioning-templates/+/provision": provisioning.provision,
    }
    return [TopicRow(f"{topic}/{form}", flow=method) for topic, method in flows.items() for form in ("json", "cbor")]


def follow_up_rows(*, provisioning: ProvisioningFollowUps) -> dict[str, Callable[[Tx, FollowUp], Answer]]:
    """Answer what the registry does later."""
    return {UNCLAIMED: provisioning.on_unclaimed, ENROLMENT_OVER: provisioning.on_enrolment_over}
