"""OIDC providers: registered by URL, with clients, thumbprints and tags."""

from typing import Any

import pytest

from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager
from hedgerow.services.iam.oidc_providers import OidcProviderOperations, OidcProviderReader
from hedgerow.services.iam.pages import Pages
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryStore

URL = "https://id.example.org/realms/plant"
ARN = "arn:aws:iam::123456789012:oidc-provider/id.example.org/realms/plant"
PRINT = "AB" * 20


class Providers:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.all = OidcProviderOperations(pages=Pages(Pager(b"k" * 32)))

    def do(self, name: str, caller: Caller = CALLER, **request: Any) -> dict[str, Any]:
        return dict(self.store.run(getattr(self.all, name), request, caller).response)

    def create(self, url: str = URL, caller: Caller = CALLER, **more: Any) -> str:
        return str(self.do("create_open_id_connect_provider", caller, Url=url, **more)["OpenIDConnectProviderArn"])

    def get(self, arn: str = ARN, caller: Caller = CALLER) -> dict[str, Any]:
        return self.do("get_open_id_connect_provider", caller, OpenIDConnectProviderArn=arn)

    def change(self, name: str, **request: Any) -> dict[str, Any]:
        return self.do(name, OpenIDConnectProviderArn=ARN, **request)

    def refusal(self, name: str, caller: Caller = CALLER, **request: Any) -> ServiceError:
        with pytest.raises(ServiceError) as raised:
            self.do(name, caller, **request)
        return raised.value


@pytest.fixture
def providers() -> Providers:
    return Providers()


@pytest.mark.spec("AL-45")
def test_a_provider_is_registered_and_shown_without_its_scheme(providers: Providers) -> None:
    tags = [{"Key": "a", "Value": "b"}]

    arn = providers.create(ClientIDList=["app", "app", "cli"], ThumbprintList=[PRINT], Tags=tags)

    assert arn == ARN
    assert providers.get() == {
        "Url": "id.example.org/realms/plant",
        "ClientIDList": ["app", "cli"],
        "ThumbprintList": [PRINT.lower()],
        "CreateDate": 1.8e9,
        "Tags": tags,
    }
    assert providers.do("list_open_id_connect_providers") == {"OpenIDConnectProviderList": [{"Arn": ARN}]}


def test_a_url_is_registered_once_in_an_account(providers: Providers) -> None:
    providers.create()

    assert providers.refusal("create_open_id_connect_provider", Url=URL).code == "EntityAlreadyExistsException"
    assert providers.create(caller=OTHER_ACCOUNT) == ARN.replace(CALLER.account, OTHER_ACCOUNT.account)


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example.org",
        "id.example.org",
        "https://",
        "https:///path",
        "https://id.example.org?a=b",
        "https://id.example.org/#a",
        "https://user@id.example.org",
        "https://user:secret@id.example.org",
        "https://id.example.org:0",
        "https://id.example.org:65536",
        "https://id.example.org:x",
        "https://ID.example.org",
        "https://id.example.org/../x",
        "https://id.example.org//x",
        "https://id.example.org/a b",
        "https://id.example.org/\u00e9",
        "https://[::1]",
        "https://[::1",
        "https://-a.example.org",
        "https://id.example.org\n",
    ],
)
def test_what_no_provider_can_be_at_is_refused(providers: Providers, url: str) -> None:
    assert providers.refusal("create_open_id_connect_provider", Url=url).code == "InvalidInputException"


@pytest.mark.parametrize("url", ["https://localhost:8443", "https://a/", "https://a.b/c/", "https://10.0.0.1:8443/x"])
def test_ports_paths_and_addresses_are_kept_as_they_are(providers: Providers, url: str) -> None:
    arn = providers.create(url)

    assert providers.get(arn)["Url"] == url.removeprefix("https://")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"ClientIDList": [f"app-{n}" for n in range(101)]}, "LimitExceededException"),
        ({"ThumbprintList": [PRINT] * 6}, "InvalidInputException"),
        ({"ThumbprintList": ["x" * 40]}, "InvalidInputException"),
    ],
)
def test_limits_hold(providers: Providers, more: dict[str, Any], code: str) -> None:
    assert providers.refusal("create_open_id_connect_provider", Url=URL, **more).code == code


def test_an_account_has_a_hundred_providers_at_most(providers: Providers) -> None:
    for number in range(100):
        providers.create(f"https://id-{number}.example.org")

    assert providers.refusal("create_open_id_connect_provider", Url=URL).code == "LimitExceededException"


def test_clients_come_and_go_and_repetition_changes_nothing(providers: Providers) -> None:
    providers.create(ClientIDList=["app"])

    for _ in range(2):
        providers.change("add_client_id_to_open_id_connect_provider", ClientID="cli")
    both = providers.get()["ClientIDList"]
    for _ in range(2):
        providers.change("remove_client_id_from_open_id_connect_provider", ClientID="app")

    assert both == ["app", "cli"]
    assert providers.get()["ClientIDList"] == ["cli"]


def test_thumbprints_are_replaced(providers: Providers) -> None:
    providers.create(ThumbprintList=[PRINT])

    providers.change("update_open_id_connect_provider_thumbprint", ThumbprintList=["0" * 40])

    assert providers.get()["ThumbprintList"] == ["0" * 40]


def test_tags_are_put_taken_and_listed_in_pages(providers: Providers) -> None:
    providers.create(Tags=[{"Key": "a", "Value": "1"}])
    providers.change("tag_open_id_connect_provider", Tags=[{"Key": key, "Value": "2"} for key in "abc"])
    providers.change("untag_open_id_connect_provider", TagKeys=["b", "none"])

    first = providers.change("list_open_id_connect_provider_tags", MaxItems=1)
    second = providers.change("list_open_id_connect_provider_tags", MaxItems=1, Marker=first["Marker"])

    assert [*first["Tags"], *second["Tags"]] == [{"Key": "a", "Value": "2"}, {"Key": "c", "Value": "2"}]
    assert (first["IsTruncated"], second["IsTruncated"]) == (True, False)


def test_deleting_is_done_when_it_is_gone(providers: Providers) -> None:
    providers.create()

    for _ in range(2):
        providers.change("delete_open_id_connect_provider")

    assert providers.do("list_open_id_connect_providers")["OpenIDConnectProviderList"] == []
    assert (
        providers.refusal("get_open_id_connect_provider", OpenIDConnectProviderArn=ARN).code == "NoSuchEntityException"
    )


def test_two_accounts_do_not_meet(providers: Providers) -> None:
    providers.create(ClientIDList=["app"])

    for name in ("get_open_id_connect_provider", "list_open_id_connect_provider_tags"):
        assert providers.refusal(name, OTHER_ACCOUNT, OpenIDConnectProviderArn=ARN).code == "NoSuchEntityException"
    providers.do("delete_open_id_connect_provider", OTHER_ACCOUNT, OpenIDConnectProviderArn=ARN)
    with providers.store.tx() as tx:
        here = OidcProviderReader().of_issuer(tx, CALLER.account, URL)
        there = OidcProviderReader().of_issuer(tx, OTHER_ACCOUNT.account, URL)
        schemeless = OidcProviderReader().of_issuer(tx, CALLER.account, "id.example.org/realms/plant")

    assert here is not None
    assert (here.issuer, there, schemeless) == (URL, None, None)


@pytest.mark.parametrize(
    "arn", ["x" * 20, ARN.replace("oidc-provider/", "role/"), ARN + "/", ARN.replace("::", ":eu:")]
)
def test_what_is_no_provider_is_not_found(providers: Providers, arn: str) -> None:
    providers.create()

    assert (
        providers.refusal("get_open_id_connect_provider", OpenIDConnectProviderArn=arn).code == "NoSuchEntityException"
    )
