"""OIDC providers: identity providers outside whose tokens may be traded for sessions of roles."""

from hedgerow.services.iam.oidc_providers.model import OidcProvider
from hedgerow.services.iam.oidc_providers.operations import OidcProviderOperations
from hedgerow.services.iam.oidc_providers.store import OidcProviderReader

__all__ = ["OidcProvider", "OidcProviderOperations", "OidcProviderReader"]
