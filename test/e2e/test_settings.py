"""Values of settings that no administrator may give: the server names the setting and keeps what it has."""

import psycopg2
import pytest
from harness import Database

INVALID_PARAMETER_VALUE = "22023"
UNDEFINED_OBJECT, INVALID_NAME = "42704", "42602"  # before PostgreSQL 17, and since
BAD = (
    ("heartbeat_timeout", ("0", "3601", "-1", "soon", "")),
    ("chunk_rows", ("0", "1000001", "-5", "1.5e9", "many")),
    ("chunk_bytes", ("63", "1GB", "-1", "none")),
    ("schedule", ("0", "2d", "-1", "daily")),
    ("kafka_timeout", ("4", "3601", "1 parsec", "99999999999")),
)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD for value in values])
def test_value_is_refused(database: Database, name: str, value: str) -> None:
    database.execute("load 'migrator'")  # its settings are known from then on
    before = database.value(f"show migrator.{name}")
    with pytest.raises(psycopg2.Error, match=f"migrator.{name}") as refusal:
        database.execute(f"alter system set migrator.{name} = '{value}'")
    assert refusal.value.pgcode == INVALID_PARAMETER_VALUE
    assert database.value(f"show migrator.{name}") == before


def test_unknown_name_is_refused(database: Database) -> None:
    with pytest.raises(psycopg2.Error, match="migrator.no_such_setting") as refusal:
        database.execute("alter system set migrator.no_such_setting = '1'")
    version = int(database.value("show server_version_num"))
    assert refusal.value.pgcode == (UNDEFINED_OBJECT if version < 170000 else INVALID_NAME)
