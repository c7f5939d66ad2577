"""Durable state: transactions, the runner, follow-ups, blobs, secrets at rest."""

from hedgerow.store.dispatcher import Dispatcher, Handler, Policy
from hedgerow.store.engine import open_engine
from hedgerow.store.follow_ups import DeadLetter, FollowUp
from hedgerow.store.guard import forbid_in_transaction, in_transaction
from hedgerow.store.runner import Run, Runner
from hedgerow.store.schema import metadata
from hedgerow.store.statistics import Statistics
from hedgerow.store.tx import Answer, Tx

__all__ = [
    "Answer",
    "DeadLetter",
    "Dispatcher",
    "FollowUp",
    "Handler",
    "Policy",
    "Run",
    "Runner",
    "Statistics",
    "Tx",
    "forbid_in_transaction",
    "in_transaction",
    "metadata",
    "open_engine",
]
