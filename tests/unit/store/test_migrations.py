"""The steps lead to the tables; a newer database is refused and stays as it is."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Engine, ForeignKey, Integer, MetaData, String, Table, insert, inspect, select, text

from hedgerow.base.errors import Unusable
from hedgerow.store import open_engine
from hedgerow.store.migrations import MAIN, Schema, upgrade
from hedgerow.store.migrations.__main__ import import_tables, write_step


def differences(engine: Engine, schema: Schema) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.version_table, "compare_type": True}
        )
        return [each for each in compare_metadata(context, schema.metadata) if each[0] != "remove_table"]


def two_tables(*, with_size: bool) -> MetaData:
    metadata = MetaData(naming_convention=MAIN.metadata.naming_convention)
    more = [Column("size", Integer)] if with_size else []
    length = 20 if with_size else 10  # another type: SQLite has to rebuild the table
    Table("box", metadata, Column("name", String(length), primary_key=True), *more)
    Table(
        "lid",
        metadata,
        Column("name", String(10), primary_key=True),
        Column("box", String(10), ForeignKey("box.name", ondelete="CASCADE"), nullable=False, index=True),
    )
    return metadata


@pytest.fixture
def empty(target: str) -> Engine:
    return open_engine(target)


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    return tmp_path / "versions 100%"


@pytest.mark.slow
def test_a_step_made_from_all_tables_leads_to_exactly_these_tables(empty: Engine, steps: Path) -> None:
    import_tables()
    schema = Schema(name="main", metadata=MAIN.metadata, versions=steps)
    path = write_step(schema, "the first tables")

    upgrade(empty, schema)

    assert path.name == "0001_the_first_tables.py"
    assert differences(empty, schema) == []


@pytest.mark.slow
def test_the_committed_steps_lead_to_exactly_the_present_tables(empty: Engine) -> None:
    import_tables()

    upgrade(empty)

    assert differences(empty, MAIN) == []


@pytest.mark.slow
def test_a_second_step_keeps_the_rows_and_what_refers_to_them(empty: Engine, steps: Path) -> None:
    old = Schema(name="main", metadata=two_tables(with_size=False), versions=steps)
    write_step(old, "boxes")
    upgrade(empty, old)
    with empty.begin() as connection:
        connection.execute(insert(old.metadata.tables["box"]), {"name": "b"})
        connection.execute(insert(old.metadata.tables["lid"]), {"name": "l", "box": "b"})
    new = Schema(name="main", metadata=two_tables(with_size=True), versions=steps)
    path = write_step(new, "sizes")

    upgrade(empty, new)
    upgrade(empty, new)

    assert path.name == "0002_sizes.py"
    assert differences(empty, new) == []
    with empty.connect() as connection:
        assert connection.execute(select(new.metadata.tables["lid"].c.box)).all() == [("b",)]


def test_a_database_of_a_newer_version_is_refused_and_left_alone(empty: Engine, steps: Path) -> None:
    schema = Schema(name="main", metadata=two_tables(with_size=False), versions=steps)
    write_step(schema, "boxes")
    with empty.begin() as connection:
        connection.execute(text("CREATE TABLE schema_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO schema_version VALUES ('9999')"))

    with pytest.raises(Unusable, match=r"made by a newer Hedgerow \(version 9999, this one knows 0001\)"):
        upgrade(empty, schema)

    assert inspect(empty).get_table_names() == ["schema_version"]


def test_tables_without_a_version_are_refused(empty: Engine, steps: Path) -> None:
    schema = Schema(name="main", metadata=two_tables(with_size=False), versions=steps)
    write_step(schema, "boxes")
    schema.metadata.create_all(empty)

    with pytest.raises(Unusable, match="has tables but no version"):
        upgrade(empty, schema)


def test_two_schemas_may_share_one_database(empty: Engine, steps: Path) -> None:
    one = Schema(name="main", metadata=two_tables(with_size=False), versions=steps / "one")
    metrics = MetaData()
    Table("metric", metrics, Column("name", String(10), primary_key=True))
    other = Schema(name="metrics", metadata=metrics, versions=steps / "other")
    write_step(one, "boxes")
    write_step(other, "metrics")

    upgrade(empty, one)
    upgrade(empty, other)

    assert set(inspect(empty).get_table_names()) == {"box", "lid", "metric", "schema_version", "schema_version_metrics"}


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database, but long enough to be looked at as if it were one" * 20)

    with pytest.raises(Unusable, match=r"cannot open the database .*: file is not a database"):
        upgrade(open_engine(path))


def test_a_database_in_a_folder_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"cannot open the database .*/none/store\.db: No such file or directory"):
        upgrade(open_engine(tmp_path / "none" / "store.db"))


def test_a_server_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="cannot open the database nothing: "):
        upgrade(open_engine(f"postgresql://postgres@/nothing?host={tmp_path}"))
