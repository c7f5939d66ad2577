"""Durable state: transactions, the runner, follow-ups, blobs, secrets at rest."""

from hedgerow.store.blobs import Blob, BlobMissing, Blobs
from hedgerow.store.dispatcher import Dispatcher, Gathered, Handler, Policy
from hedgerow.store.engine import open_engine
from hedgerow.store.folder import Folder, Identity, open_folder, read_identity
from hedgerow.store.follow_ups import DeadLetter, FollowUp, count_follow_ups
from hedgerow.store.guard import checked_before_writing, forbid_in_transaction, in_transaction
from hedgerow.store.migrations import MAIN, Schema, upgrade
from hedgerow.store.runner import Run, Runner
from hedgerow.store.schema import metadata
from hedgerow.store.statistics import Statistics
from hedgerow.store.tx import Answer, Tx
from hedgerow.store.vault import Vault, key_file, load_master_key, open_vault

__all__ = [
    "MAIN",
    "Answer",
    "Blob",
    "BlobMissing",
    "Blobs",
    "DeadLetter",
    "Dispatcher",
    "Folder",
    "FollowUp",
    "Gathered",
    "Handler",
    "Identity",
    "Policy",
    "Run",
    "Runner",
    "Schema",
    "Statistics",
    "Tx",
    "Vault",
    "checked_before_writing",
    "count_follow_ups",
    "forbid_in_transaction",
    "in_transaction",
    "key_file",
    "load_master_key",
    "metadata",
    "open_engine",
    "open_folder",
    "open_vault",
    "read_identity",
    "upgrade",
]
