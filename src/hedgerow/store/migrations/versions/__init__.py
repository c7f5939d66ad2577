"""The steps, in order; made by `python -m hedgerow.store.migrations new`, never changed after a release."""
