"""The table of operations: OIDC providers of IAM."""

from hedgerow.api.operations import Row, read, write
from hedgerow.services.iam.oidc_providers import OidcProviderOperations

_PROVIDER = "{OpenIDConnectProviderArn}"


def rows(*, providers: OidcProviderOperations) -> dict[str, Row]:
    """Answer the rows of IAM that belong to OIDC providers."""
    return {
        "CreateOpenIDConnectProvider": write(
            providers.create_open_id_connect_provider, "arn:aws:iam::{account}:oidc-provider/{Url}"
        ),
        "GetOpenIDConnectProvider": read(providers.get_open_id_connect_provider, _PROVIDER),
        "ListOpenIDConnectProviders": read(providers.list_open_id_connect_providers),
        "DeleteOpenIDConnectProvider": write(providers.delete_open_id_connect_provider, _PROVIDER),
        "AddClientIDToOpenIDConnectProvider": write(providers.add_client_id_to_open_id_connect_provider, _PROVIDER),
        "RemoveClientIDFromOpenIDConnectProvider": write(
            providers.remove_client_id_from_open_id_connect_provider, _PROVIDER
        ),
        "UpdateOpenIDConnectProviderThumbprint": write(providers.update_open_id_connect_provider_thumbprint, _PROVIDER),
        "TagOpenIDConnectProvider": write(providers.tag_open_id_connect_provider, _PROVIDER),
        "UntagOpenIDConnectProvider": write(providers.untag_open_id_connect_provider, _PROVIDER),
        "ListOpenIDConnectProviderTags": read(providers.list_open_id_connect_provider_tags, _PROVIDER),
    }
