"""Brings a database to the present tables, at start; refuses one that a newer Hedgerow made.

The steps are files `versions/NNNN_what.py` that never change after a release. A new one is made from the tables with
`python -m hedgerow.store.migrations new "what changes"` and read before it is committed. A database of its own (the
metrics) is a `Schema` of its own, with its MetaData and its folder of versions.
As long as a schema has no step yet, its tables are simply created.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, MetaData, inspect, text
from sqlalchemy.exc import DBAPIError

from hedgerow.base.errors import Unavailable, Unusable
from hedgerow.base.log import get_logger
from hedgerow.store.schema import metadata

if TYPE_CHECKING:
    from alembic.config import Config

HERE: Final = Path(__file__).parent
_FILE: Final = re.compile(r"(\d{4})_\w+\.py")

log = get_logger("store.migrations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The tables of one database, and the steps that lead to them."""

    name: str
    metadata: MetaData
    versions: Path

    @property
    def version_table(self) -> str:
        """Where the database notes its version; two schemas may share a PostgreSQL database."""
        return "schema_version" if self.name == "main" else f"schema_version_{self.name}"

    def known(self) -> list[str]:
        """Answer the versions that this Hedgerow knows, oldest first."""
        found = (_FILE.fullmatch(path.name) for path in self.versions.glob("*.py"))
        return sorted(match[1] for match in found if match is not None)


MAIN: Final = Schema(name="main", metadata=metadata, versions=HERE / "versions")


def upgrade(engine: Engine, schema: Schema = MAIN) -> None:
    """Bring the database to the newest version, in one transaction. Blocks.

    Raises Unusable when it was made by a newer Hedgerow or cannot be opened; it is left as it was then.
    """
    try:
        _upgrade(engine, schema)
    except Unavailable as error:
        raise Unusable(str(error)) from error
    except DBAPIError as error:
        raise Unusable(f"cannot open the database {_name(engine)}: {error.orig}") from error


def _upgrade(engine: Engine, schema: Schema) -> None:
    known = schema.known()
    if not known:
        schema.metadata.create_all(engine)
        return
    with engine.connect() as connection:
        current = version_of(connection, schema)
        present = set(inspect(connection).get_table_names()) if current is None else set()
    if current == known[-1]:
        return
    if current is not None and current not in known:
        raise Unusable(
            f"the database {_name(engine)} was made by a newer Hedgerow (version {current}, this one knows "
            f"{known[-1]}); start that version again, or choose another folder"
        )
    if present & set(schema.metadata.tables):
        raise Unusable(f"the database {_name(engine)} has tables but no version; choose another folder")
    _run_steps(engine, schema)
    log.info("the database was brought up to date", extra={"fields": {"from": current, "to": known[-1]}})


def version_of(connection: Connection, schema: Schema) -> str | None:
    """Answer the database's version, None when it has none."""
    if not inspect(connection).has_table(schema.version_table):
        return None
    row = connection.execute(text(f"SELECT version_num FROM {schema.version_table}")).first()  # noqa: S608  # ours
    return None if row is None else str(row[0])


def configuration(schema: Schema, connection: Connection) -> "Config":
    """Answer what Alembic needs, without an ini file."""
    from alembic.config import Config  # 0.2 s that a start without a step to run need not spend

    config = Config()
    for name, value in (
        ("script_location", str(HERE / "environment")),
        ("version_locations", str(schema.versions)),
        ("path_separator", "newline"),
        ("file_template", "%(rev)s_%(slug)s"),
    ):
        config.set_main_option(name, value.replace("%", "%%"))
    config.attributes.update(connection=connection, schema=schema)
    return config


def _run_steps(engine: Engine, schema: Schema) -> None:
    from alembic import command

    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        is_sqlite = engine.dialect.name == "sqlite"
        if is_sqlite:  # a table that is rebuilt must not take those that refer to it along
            driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                command.upgrade(configuration(schema, connection), "head")
                if is_sqlite and driver.execute("PRAGMA foreign_key_check").fetchall():
                    raise RuntimeError("a migration left rows that refer to nothing; nothing was changed")
        finally:
            if is_sqlite:
                driver.execute("PRAGMA foreign_keys=ON")


def _name(engine: Engine) -> str:
    return engine.url.database or "in memory"
