"""Asking the record: ListOnboardingAttempts, of our own service `hedgerow`. AWS has no operation for it."""

from hedgerow.core.caller import Caller
from hedgerow.core.paging import InvalidToken
from hedgerow.core.request import Request
from hedgerow.services.iot.onboarding.errors import InvalidQuestion
from hedgerow.services.iot.onboarding.store import NEWEST, OnboardingStore
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx


class OnboardingOperations:
    """The operation on the record."""

    def __init__(self, *, store: OnboardingStore, pages: Pages) -> None:
        self._store = store
        self._pages = pages

    def list_onboarding_attempts(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        outcome, device = request.get("outcome") or "", request.get("device") or ""
        try:
            page = self._pages.by_token(request, caller, "ListOnboardingAttempts", outcome=outcome, device=device)
        except InvalidToken as error:
            raise InvalidQuestion("The nextToken is not valid.") from error
        found = self._store.list(
            tx, caller.account, before=page.after(NEWEST), outcome=outcome, device=device, limit=page.limit
        )
        return Answer(page.answer("attempts", found, key=lambda one: (one[0],), show=lambda one: one[1].told()))
