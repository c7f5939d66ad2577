"""The table of operations: IAM, what concerns an account as a whole and who has what."""

from hedgerow.api.operations import Row, read, write
from hedgerow.services.iam.account_aliases import AccountAliasOperations
from hedgerow.services.iam.entity_policies import PolicyHolderOperations
from hedgerow.services.iam.other_credentials import OtherCredentialOperations
from hedgerow.services.iam.reports import DetailOperations, SummaryOperations

_USER = "arn:aws:iam::{account}:user/{UserName}"


def rows(
    *,
    holders: PolicyHolderOperations,
    aliases: AccountAliasOperations,
    summaries: SummaryOperations,
    details: DetailOperations,
    others: OtherCredentialOperations,
) -> dict[str, Row]:
    """Answer the rows."""
    return {
        "ListEntitiesForPolicy": read(holders.list_entities_for_policy, "{PolicyArn}"),
        "CreateAccountAlias": write(aliases.create_account_alias),
        "DeleteAccountAlias": write(aliases.delete_account_alias),
        "ListAccountAliases": read(aliases.list_account_aliases),
        "GetAccountSummary": read(summaries.get_account_summary),
        "GetAccountAuthorizationDetails": read(details.get_account_authorization_details),
        "GetLoginProfile": read(others.get_login_profile, _USER),
        "DeleteLoginProfile": write(others.delete_login_profile, _USER),
        "ListMFADevices": read(others.list_mfa_devices, _USER),
        "ListVirtualMFADevices": read(others.list_virtual_mfa_devices),
        "ListSSHPublicKeys": read(others.list_ssh_public_keys, _USER),
        "ListSigningCertificates": read(others.list_signing_certificates, _USER),
        "ListInstanceProfiles": read(others.list_instance_profiles, "arn:aws:iam::{account}:instance-profile/"),
        "ListServerCertificates": read(others.list_server_certificates, "arn:aws:iam::{account}:server-certificate/"),
        "ListSAMLProviders": read(others.list_saml_providers),
        "GetAccountPasswordPolicy": read(others.get_account_password_policy),
        "ListServiceSpecificCredentials": read(others.list_service_specific_credentials, _USER),
    }
