"""Accounts of the cloud, and signing in to the console."""

import dataclasses

import pytest

from hedgerow.base.errors import AccessDenied, ServiceError
from hedgerow.core.caller import Caller, Kind
from hedgerow.services.hedgerow.sign_ins import SignInFollowUps, SignInOperations
from hedgerow.store import FollowUp, Tx
from tests.support.iam import Iam
from tests.support.store import CALLER, OTHER_ACCOUNT


class Keys:
    good = True

    def usable(self, tx: Tx, access_key_id: str) -> bool:
        return self.good


@pytest.fixture
def iam() -> Iam:
    iam = Iam()
    with iam.store.tx() as tx:
        iam.accounts.ensure_first(tx, CALLER.account)
    return iam


def test_the_first_account_is_made_once(iam: Iam) -> None:
    with iam.store.tx() as tx:
        again = iam.accounts.ensure_first(tx, "999999999999")

    accounts = iam.run(iam.accounts.list_accounts).response["accounts"]

    assert again.response == {}
    assert accounts == [{"accountId": CALLER.account, "createdAt": 1.8e9}]


def test_an_account_comes_with_a_root_key(iam: Iam) -> None:
    made = iam.run(iam.accounts.create_account, {"accountId": OTHER_ACCOUNT.account}).response

    with iam.store.tx() as tx:
        found = iam.key_reader.find(tx, made["accessKeyId"])

    assert found is not None
    assert (found[0].account, found[0].user, found[1]) == (OTHER_ACCOUNT.account, "", made["secretAccessKey"])


def test_an_account_id_is_made_up_when_none_is_given(iam: Iam) -> None:
    made = iam.run(iam.accounts.create_account).response["accountId"]

    assert len(made) == 12
    assert made.isdigit()


def test_ids_that_are_taken_or_wrong_are_refused(iam: Iam) -> None:
    with pytest.raises(ServiceError, match="already exists"):
        iam.run(iam.accounts.create_account, {"accountId": CALLER.account})
    with iam.store.tx() as tx, pytest.raises(ServiceError, match="12 digits"):
        Iam().accounts._create(tx, "12", first=False)


@pytest.mark.parametrize(
    "caller",
    [OTHER_ACCOUNT, dataclasses.replace(CALLER, kind=Kind.USER), dataclasses.replace(CALLER, kind=Kind.ROLE)],
)
def test_only_the_root_of_the_first_account_sees_and_makes_accounts(iam: Iam, caller: Caller) -> None:
    with pytest.raises(AccessDenied):
        iam.run(iam.accounts.create_account, {}, caller)
    with pytest.raises(AccessDenied):
        iam.run(iam.accounts.list_accounts, {}, caller)


def test_accounts_are_listed_in_pages(iam: Iam) -> None:
    iam.run(iam.accounts.create_account, {"accountId": OTHER_ACCOUNT.account})

    first = iam.run(iam.accounts.list_accounts, {"maxResults": 1}).response
    second = iam.run(iam.accounts.list_accounts, {"maxResults": 1, "nextToken": first["nextToken"]}).response

    assert [account["accountId"] for account in first["accounts"]] == [CALLER.account]
    assert [account["accountId"] for account in second["accounts"]] == [OTHER_ACCOUNT.account]
    assert "nextToken" not in second
    with pytest.raises(ServiceError, match="nextToken is not valid"):
        iam.run(iam.accounts.list_accounts, {"nextToken": "x"})


SIGNED = dataclasses.replace(CALLER, access_key_id="AKIAROOT")
NOBODY = dataclasses.replace(CALLER, kind=Kind.ANONYMOUS, account="", principal="anonymous")


@pytest.fixture
def sign_ins(iam: Iam) -> SignInOperations:
    return SignInOperations(ids=iam.ids, sessions=iam.sts, keys=Keys())


def test_a_sign_in_gives_credentials_of_the_one_who_asked_once(iam: Iam, sign_ins: SignInOperations) -> None:
    made = iam.run(sign_ins.create_console_sign_in, {}, SIGNED).response
    got = iam.run(sign_ins.redeem_console_sign_in, {"token": made["token"]}, NOBODY).response

    with iam.store.tx() as tx:
        session = iam.session_reader.find(tx, got["accessKeyId"])

    assert made["expiresAt"] == 1.8e9 + 600
    assert (got["accountId"], got["principal"]) == (CALLER.account, CALLER.principal)
    assert session is not None
    assert (session.principal, session.token) == (CALLER.principal, got["sessionToken"])
    with pytest.raises(ServiceError, match="ask for a new one"):
        iam.run(sign_ins.redeem_console_sign_in, {"token": made["token"]}, NOBODY)


def test_the_token_itself_is_not_stored(iam: Iam, sign_ins: SignInOperations) -> None:
    token = iam.run(sign_ins.create_console_sign_in, {}, SIGNED).response["token"]

    with iam.store.tx() as tx:
        stored = tx._connection.exec_driver_sql("SELECT * FROM hedgerow_sign_in").one()

    assert token not in map(str, stored)


def test_a_sign_in_is_over_after_ten_minutes(iam: Iam, sign_ins: SignInOperations) -> None:
    token = iam.run(sign_ins.create_console_sign_in, {}, SIGNED).response["token"]
    iam.store.clock.advance(600)

    with pytest.raises(ServiceError, match="ask for a new one"):
        iam.run(sign_ins.redeem_console_sign_in, {"token": token}, NOBODY)


def test_a_sign_in_dies_with_the_key_that_asked_for_it(iam: Iam) -> None:
    keys = Keys()
    sign_ins = SignInOperations(ids=iam.ids, sessions=iam.sts, keys=keys)
    token = iam.run(sign_ins.create_console_sign_in, {}, SIGNED).response["token"]
    keys.good = False

    with pytest.raises(ServiceError, match="ask for a new one"):
        iam.run(sign_ins.redeem_console_sign_in, {"token": token}, NOBODY)


def test_devices_do_not_sign_in(iam: Iam, sign_ins: SignInOperations) -> None:
    with pytest.raises(AccessDenied):
        iam.run(sign_ins.create_console_sign_in, {}, dataclasses.replace(CALLER, kind=Kind.CERTIFICATE))


def test_a_sign_in_that_was_not_used_is_forgotten(iam: Iam, sign_ins: SignInOperations) -> None:
    iam.run(sign_ins.create_console_sign_in, {}, SIGNED)
    with iam.store.tx() as tx:
        digest = tx._connection.exec_driver_sql("SELECT digest FROM hedgerow_sign_in").scalar_one()
        row = FollowUp(
            seq=1, account=CALLER.account, kind="hedgerow.sign-in-expired", key=digest, due_at=0.0, body={}, attempts=0
        )

        SignInFollowUps().on_sign_in_expired(tx, row)

        assert tx._connection.exec_driver_sql("SELECT count(*) FROM hedgerow_sign_in").scalar_one() == 0
