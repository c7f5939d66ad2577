"""Durable state: transactions, the runner, follow-ups, blobs, secrets at rest."""

from hedgerow.store.runner import Run, Runner
from hedgerow.store.schema import metadata
from hedgerow.store.tx import Answer, Tx

__all__ = ["Answer", "Run", "Runner", "Tx", "metadata"]
