"""The operations of OIDC providers.

Thumbprints are for servers that the system's own certificate authorities do not vouch for. Unlike AWS, Hedgerow does
not fetch one by itself when none is given: then the system's authorities alone count.
"""

import dataclasses

from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iam.oidc_providers.errors import ProviderExists, ProviderNotFound, TooMany
from hedgerow.services.iam.oidc_providers.model import MOST_PROVIDERS, OidcProvider, checked_url
from hedgerow.services.iam.oidc_providers.store import OidcProviderStore
from hedgerow.services.iam.pages import Pages, shown_tags, tags_of
from hedgerow.store import Answer, Tx


class OidcProviderOperations:
    """Providers, their clients, thumbprints and tags."""

    def __init__(self, *, pages: Pages) -> None:
        self._pages = pages

    def create_open_id_connect_provider(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store, url = OidcProviderStore(tx, caller.account), checked_url(request["Url"])
        clients, thumbprints = request.take_all("ClientIDList"), request.take_all("ThumbprintList")
        new = OidcProvider(account=caller.account, url=url, client_ids=(), thumbprints=(), tags={}, created_at=tx.now)
        provider = (
            new.with_client_ids(tuple(clients or ()))
            .with_thumbprints(tuple(thumbprints or ()))
            .with_tags(tags_of(request))
        )
        if store.get(url) is not None:
            raise ProviderExists(url)
        if len(store.all()) >= MOST_PROVIDERS:
            raise TooMany("OpenIdConnectProvidersPerAccount", MOST_PROVIDERS)
        store.add(provider)
        shown = {"Tags": shown_tags(provider.tags)} if provider.tags else {}
        return Answer({"OpenIDConnectProviderArn": provider.arn, **shown})

    def get_open_id_connect_provider(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        provider = _found(tx, request, caller)
        return Answer(
            {
                "Url": provider.url,
                "ClientIDList": list(provider.client_ids),
                "ThumbprintList": list(provider.thumbprints),
                "CreateDate": provider.created_at,
                "Tags": shown_tags(provider.tags),
            }
        )

    def list_open_id_connect_providers(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        providers = OidcProviderStore(tx, caller.account).all()
        return Answer({"OpenIDConnectProviderList": [{"Arn": provider.arn} for provider in providers]})

    def delete_open_id_connect_provider(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store = OidcProviderStore(tx, caller.account)
        provider = store.by_arn(request["OpenIDConnectProviderArn"])
        if provider is not None:  # deleting what is gone succeeds
            store.delete(provider.url)
        return Answer()

    def add_client_id_to_open_id_connect_provider(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        provider = _found(tx, request, caller)
        return _put(tx, provider.with_client_ids((*provider.client_ids, request["ClientID"])))

    def remove_client_id_from_open_id_connect_provider(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        provider, gone = _found(tx, request, caller), request["ClientID"]
        return _put(tx, provider.with_client_ids(tuple(each for each in provider.client_ids if each != gone)))

    def update_open_id_connect_provider_thumbprint(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        provider = _found(tx, request, caller)
        return _put(tx, provider.with_thumbprints(tuple(request.take_all("ThumbprintList"))))

    def tag_open_id_connect_provider(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        provider = _found(tx, request, caller)
        return _put(tx, provider.with_tags(provider.tags | tags_of(request)))

    def untag_open_id_connect_provider(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        provider, gone = _found(tx, request, caller), set(request.take_all("TagKeys"))
        kept = {key: value for key, value in provider.tags.items() if key not in gone}
        return _put(tx, dataclasses.replace(provider, tags=kept))

    def list_open_id_connect_provider_tags(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        provider = _found(tx, request, caller)
        return Answer(
            self._pages.answer(
                request,
                caller,
                "ListOpenIDConnectProviderTags",
                name="Tags",
                items=sorted(provider.tags.items()),
                key=lambda tag: tag[0],
                show=lambda tag: {"Key": tag[0], "Value": tag[1]},
                of=provider.url,
            )
        )


def _put(tx: Tx, provider: OidcProvider) -> Answer:
    OidcProviderStore(tx, provider.account).put(provider)
    return Answer()


def _found(tx: Tx, request: Request, caller: Caller) -> OidcProvider:
    arn = request["OpenIDConnectProviderArn"]
    provider = OidcProviderStore(tx, caller.account).by_arn(arn)
    if provider is None:
        raise ProviderNotFound(arn)
    return provider
