"""`python -m hedgerow.store.migrations new "what changes"`: write the next step from the difference to the tables.

For those who develop Hedgerow. It imports the `store.py` of every subject (by name: the store knows no subject), brings
an empty database to the newest version, compares it with the tables, and writes `versions/NNNN_what_changes.py`.
`--schema module:NAME` is for another Schema than the main one.
"""

import argparse
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

from hedgerow.store.engine import MEMORY, open_engine
from hedgerow.store.migrations import MAIN, Schema, configuration, upgrade


def import_tables() -> None:
    """Import every subject's `store.py`, so that the MetaData are complete."""
    services = importlib.import_module("hedgerow.services")
    for module in pkgutil.walk_packages(services.__path__, "hedgerow.services."):
        if module.name.endswith(".store"):
            importlib.import_module(module.name)


def write_step(schema: Schema, what: str) -> Path:
    """Write the next step and answer where it is."""
    from alembic import command

    schema.versions.mkdir(parents=True, exist_ok=True)
    engine = open_engine(MEMORY)
    if schema.known():
        upgrade(engine, schema)
    number = f"{int((schema.known() or ['0'])[-1]) + 1:04}"
    with engine.begin() as connection:
        command.revision(configuration(schema, connection), message=what, autogenerate=True, rev_id=number)
    engine.dispose()
    (path,) = schema.versions.glob(f"{number}_*.py")
    for arguments in (("check", "--fix", "--select", "F401,I", "--quiet"), ("format", "--quiet")):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, path], check=False)  # noqa: S603
    return path


def _schema(name: str) -> Schema:
    if not name:
        return MAIN
    module, _, attribute = name.partition(":")
    schema = getattr(importlib.import_module(module), attribute)
    if not isinstance(schema, Schema):
        raise SystemExit(f"{name} is no Schema")
    return schema


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hedgerow.store.migrations")
    parser.add_argument("verb", choices=["new"])
    parser.add_argument("what", help="what changes, in a few words")
    parser.add_argument("--schema", default="", help="module:NAME of another Schema than the main one")
    given = parser.parse_args()
    import_tables()
    print(write_step(_schema(given.schema), given.what))  # noqa: T201  # it is a command


if __name__ == "__main__":
    main()
