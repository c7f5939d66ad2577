"""The table of operations: our own service, as far as accounts, signing in and explanations go."""

from collections.abc import Callable
from typing import Final

from hedgerow.api.operations import Row, read, write
from hedgerow.services.hedgerow.accounts import AccountOperations
from hedgerow.services.hedgerow.explanations import ExplanationOperations
from hedgerow.services.hedgerow.sign_ins import SignInFollowUps, SignInOperations
from hedgerow.store import Answer, FollowUp, Tx

_THING: Final = "arn:aws:iot:{region}:{account}:thing/{thingName}"
REFUSED: Final = {"DeleteAccount": "Delete what is in the account, and make its access keys inactive."}
"""Why this is not answered."""


def rows(*, accounts: AccountOperations, sign_ins: SignInOperations) -> dict[str, Row]:
    """Answer the rows of this service."""
    return {
        "CreateAccount": write(accounts.create_account),
        "ListAccounts": read(accounts.list_accounts),
        "CreateConsoleSignIn": write(sign_ins.create_console_sign_in),
        "RedeemConsoleSignIn": write(sign_ins.redeem_console_sign_in),
    }


def explanation_rows(*, explanations: ExplanationOperations) -> dict[str, Row]:
    """Answer the row of explanations."""
    return {"ExplainAuthorization": read(explanations.explain_authorization, _THING)}


def follow_up_rows(*, sign_ins: SignInFollowUps) -> dict[str, Callable[[Tx, FollowUp], Answer]]:
    """Answer the handlers of this service's follow-ups."""
    return {"hedgerow.sign-in-expired": sign_ins.on_sign_in_expired}
