"""`python -m hedgerow` is the command `hedgerow`."""

from hedgerow.cli.main import run

run()
