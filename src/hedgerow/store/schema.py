"""The one MetaData that all tables belong to. A subject's tables stand in its `store.py`.

Rules: the account is the first column of every primary key and index; timestamps are seconds (Float, UTC epoch); JSON
is stored as text; statements are module constants with bindparam.
"""

from typing import Final

from sqlalchemy import MetaData

naming: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
}

metadata: Final = MetaData(naming_convention=naming)
