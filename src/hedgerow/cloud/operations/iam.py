"""The table of operations: IAM."""

from hedgerow.api.operations import Also, Row, flow, read, write
from hedgerow.services.iam.access_keys import AccessKeyFlows, AccessKeyOperations
from hedgerow.services.iam.entity_policies import GroupPolicyOperations, RolePolicyOperations, UserPolicyOperations
from hedgerow.services.iam.groups import GroupOperations
from hedgerow.services.iam.policies import PolicyOperations, PolicyVersionOperations
from hedgerow.services.iam.roles import RoleOperations
from hedgerow.services.iam.simulation import SimulationOperations
from hedgerow.services.iam.users import UserOperations

_ROLE = "arn:aws:iam::{account}:role/{RoleName}"
_ROLES = "arn:aws:iam::{account}:role/"
_USER = "arn:aws:iam::{account}:user/{UserName}"
_USERS = "arn:aws:iam::{account}:user/"
_GROUP = "arn:aws:iam::{account}:group/{GroupName}"
_GROUPS = "arn:aws:iam::{account}:group/"
_POLICY = "{PolicyArn}"
_BOUND = {"iam:PermissionsBoundary": "PermissionsBoundary"}  # else the one that there is already
_ATTACHED = {"iam:PolicyARN": "PolicyArn"}
_NEW_ROLE = "arn:aws:iam::{account}:role{Path|=/}{RoleName}"
_NEW_USER = "arn:aws:iam::{account}:user{Path|=/}{UserName}"
_NEW_POLICY = "arn:aws:iam::{account}:policy{Path|=/}{PolicyName}"


def rows(
    *,
    roles: RoleOperations,
    users: UserOperations,
    access_keys: AccessKeyOperations,
    policies: PolicyOperations,
    policy_versions: PolicyVersionOperations,
    role_policies: RolePolicyOperations,
    user_policies: UserPolicyOperations,
    groups: GroupOperations,
    group_policies: GroupPolicyOperations,
) -> dict[str, Row]:
    """Answer the rows of this service."""
    return {
        "CreateRole": write(roles.create_role, _NEW_ROLE, also=_tagged("iam:TagRole", _NEW_ROLE), conditions=_BOUND),
        "GetRole": read(roles.get_role, _ROLE),
        "ListRoles": read(roles.list_roles, _ROLES),
        "UpdateRole": write(roles.update_role, _ROLE),
        "UpdateRoleDescription": write(roles.update_role_description, _ROLE),
        "UpdateAssumeRolePolicy": write(roles.update_assume_role_policy, _ROLE),
        "DeleteRole": write(roles.delete_role, _ROLE),
        "TagRole": write(roles.tag_role, _ROLE),
        "UntagRole": write(roles.untag_role, _ROLE),
        "ListRoleTags": read(roles.list_role_tags, _ROLE),
        "ListInstanceProfilesForRole": read(roles.list_instance_profiles_for_role, _ROLE),
        "PutRolePolicy": write(role_policies.put_role_policy, _ROLE),
        "GetRolePolicy": read(role_policies.get_role_policy, _ROLE),
        "DeleteRolePolicy": write(role_policies.delete_role_policy, _ROLE),
        "ListRolePolicies": read(role_policies.list_role_policies, _ROLE),
        "AttachRolePolicy": write(role_policies.attach_role_policy, _ROLE, conditions=_ATTACHED),
        "DetachRolePolicy": write(role_policies.detach_role_policy, _ROLE, conditions=_ATTACHED),
        "ListAttachedRolePolicies": read(role_policies.list_attached_role_policies, _ROLE),
        "CreateUser": write(users.create_user, _NEW_USER, also=_tagged("iam:TagUser", _NEW_USER), conditions=_BOUND),
        "GetUser": read(users.get_user, _USER),
        "ListUsers": read(users.list_users, _USERS),
        "UpdateUser": write(users.update_user, _USER, also=_moved("iam:UpdateUser", "user", "UserName")),
        "TagUser": write(users.tag_user, _USER),
        "UntagUser": write(users.untag_user, _USER),
        "ListUserTags": read(users.list_user_tags, _USER),
        "DeleteUser": write(users.delete_user, _USER),
        "PutUserPolicy": write(user_policies.put_user_policy, _USER),
        "GetUserPolicy": read(user_policies.get_user_policy, _USER),
        "DeleteUserPolicy": write(user_policies.delete_user_policy, _USER),
        "ListUserPolicies": read(user_policies.list_user_policies, _USER),
        "AttachUserPolicy": write(user_policies.attach_user_policy, _USER, conditions=_ATTACHED),
        "DetachUserPolicy": write(user_policies.detach_user_policy, _USER, conditions=_ATTACHED),
        "ListAttachedUserPolicies": read(user_policies.list_attached_user_policies, _USER),
        "PutUserPermissionsBoundary": write(user_policies.put_user_permissions_boundary, _USER, conditions=_BOUND),
        "DeleteUserPermissionsBoundary": write(user_policies.delete_user_permissions_boundary, _USER),
        "PutRolePermissionsBoundary": write(role_policies.put_role_permissions_boundary, _ROLE, conditions=_BOUND),
        "DeleteRolePermissionsBoundary": write(role_policies.delete_role_permissions_boundary, _ROLE),
        **_group_rows(groups, group_policies),
        "CreateAccessKey": write(access_keys.create_access_key, _USER),
        "ListAccessKeys": read(access_keys.list_access_keys, _USER),
        "UpdateAccessKey": write(access_keys.update_access_key, _USER),
        "DeleteAccessKey": write(access_keys.delete_access_key, _USER),
        "CreatePolicy": write(policies.create_policy, _NEW_POLICY, also=_tagged("iam:TagPolicy", _NEW_POLICY)),
        "GetPolicy": read(policies.get_policy, _POLICY),
        "ListPolicies": read(policies.list_policies, "arn:aws:iam::{account}:policy/"),
        "TagPolicy": write(policies.tag_policy, _POLICY),
        "UntagPolicy": write(policies.untag_policy, _POLICY),
        "ListPolicyTags": read(policies.list_policy_tags, _POLICY),
        "DeletePolicy": write(policies.delete_policy, _POLICY),
        "CreatePolicyVersion": write(policy_versions.create_policy_version, _POLICY),
        "GetPolicyVersion": read(policy_versions.get_policy_version, _POLICY),
        "ListPolicyVersions": read(policy_versions.list_policy_versions, _POLICY),
        "SetDefaultPolicyVersion": write(policy_versions.set_default_policy_version, _POLICY),
        "DeletePolicyVersion": write(policy_versions.delete_policy_version, _POLICY),
    }


def _tagged(action: str, resource: str) -> tuple[Also, ...]:
    """Whoever makes something with tags must be allowed to tag it."""
    return (Also(action, resource, when="Tags"),)


def _moved(action: str, kind: str, name: str) -> tuple[Also, ...]:
    """Whoever renames something must be allowed to do so to what it will be; no new path is asked about as `/`."""
    where = f"arn:aws:iam::{{account}}:{kind}"
    return (
        Also(action, f"{where}{{NewPath|=/}}{{New{name}}}"),
        Also(action, f"{where}{{NewPath}}{{New{name}|{name}}}"),
    )


def key_use_rows(*, keys: AccessKeyFlows) -> dict[str, Row]:
    """Answer the row that asks when a key was last used; a request names the key alone, so no user is asked about."""
    return {"GetAccessKeyLastUsed": flow(keys.get_access_key_last_used)}


def simulation_rows(*, simulations: SimulationOperations) -> dict[str, Row]:
    """Answer the rows of simulations."""
    return {
        "SimulatePrincipalPolicy": read(simulations.simulate_principal_policy, "{PolicySourceArn}"),
        "SimulateCustomPolicy": read(simulations.simulate_custom_policy),
        "GetContextKeysForPrincipalPolicy": read(
            simulations.get_context_keys_for_principal_policy, "{PolicySourceArn}"
        ),
        "GetContextKeysForCustomPolicy": read(simulations.get_context_keys_for_custom_policy),
    }


def _group_rows(groups: GroupOperations, policies: GroupPolicyOperations) -> dict[str, Row]:
    return {
        "CreateGroup": write(groups.create_group, "arn:aws:iam::{account}:group{Path}{GroupName}"),
        "GetGroup": read(groups.get_group, _GROUP),
        "ListGroups": read(groups.list_groups, _GROUPS),
        "ListGroupsForUser": read(groups.list_groups_for_user, _USER),
        "UpdateGroup": write(groups.update_group, _GROUP, also=_moved("iam:UpdateGroup", "group", "GroupName")),
        "DeleteGroup": write(groups.delete_group, _GROUP),
        "AddUserToGroup": write(groups.add_user_to_group, _GROUP),
        "RemoveUserFromGroup": write(groups.remove_user_from_group, _GROUP),
        "PutGroupPolicy": write(policies.put_group_policy, _GROUP),
        "GetGroupPolicy": read(policies.get_group_policy, _GROUP),
        "DeleteGroupPolicy": write(policies.delete_group_policy, _GROUP),
        "ListGroupPolicies": read(policies.list_group_policies, _GROUP),
        "AttachGroupPolicy": write(policies.attach_group_policy, _GROUP, conditions=_ATTACHED),
        "DetachGroupPolicy": write(policies.detach_group_policy, _GROUP, conditions=_ATTACHED),
        "ListAttachedGroupPolicies": read(policies.list_attached_group_policies, _GROUP),
    }
