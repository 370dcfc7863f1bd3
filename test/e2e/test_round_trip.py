"""In-tables, migration, Kafka, consumption, store: what was put in can be read back, field by field and link by link."""

from collections.abc import Callable

import pytest
from helpers import WORKED_EXAMPLE, Company


def fill(company: Company, persons: int, firms: int, claims: int, links: int) -> None:
    company.supply(
        "insert into in_naturalperson (in_id, surname, name, iin, birthdate) select 'np' || i, 'Фамилия \"' || i || '\"', "
        "case when i %% 3 > 0 then E'n\\t' || i end, case when i %% 2 = 0 then 'iin' || i end, timestamptz '1970-01-01 UTC' + i * interval '1 day 1.25 s' "
        "from generate_series(1, %s) i",
        persons,
    )
    company.supply("insert into in_legalperson (in_id, name, bin) select 'lp' || i, 'Firm ' || i, 'b' || i from generate_series(1, %s) i", firms)
    for table, prefix in (("in_clientclaim", "cc"), ("in_naturalclaim", "nc")):
        company.supply(f"insert into {table} (in_id, name) select '{prefix}' || i, 'Claim ' || i from generate_series(1, %s) i", claims // 2)
    company.supply(
        "insert into in_naturalclaim_natural (naturalclaim_id, natural_id) select 'nc' || 1 + i %% %s, 'np' || 1 + (i * 7 + i / 1000) %% %s from generate_series(1, %s) i",
        claims // 2, persons, links,
    )  # fmt: skip
    for member, prefix, count in (("naturalperson", "np", persons), ("legalperson", "lp", firms)):
        company.supply(
            f"insert into in_clientclaim_coclient_{member} (clientclaim_id, coclient_id) "
            f"select 'cc' || 1 + i %% %s, '{prefix}' || 1 + (i * 3 + i / 1000) %% %s from generate_series(1, %s) i",
            claims // 2, count, links // 2,
        )  # fmt: skip


# (BO, in-table, field code, column)
FIELDS = (
    ("NaturalPerson", "in_naturalperson", "Surname", "surname"),
    ("NaturalPerson", "in_naturalperson", "Name", "name"),
    ("NaturalPerson", "in_naturalperson", "IIN", "iin"),
    ("NaturalPerson", "in_naturalperson", "BirthDate", """to_char(birthdate at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""),
    ("LegalPerson", "in_legalperson", "Name", "name"),
    ("LegalPerson", "in_legalperson", "BIN", "bin"),
    ("ClientClaim", "in_clientclaim", "Name", "name"),
    ("NaturalClaim", "in_naturalclaim", "Name", "name"),
)
# (BO, field code, in-table, owner column, target column, target BO)
LINK_TABLES = (
    ("NaturalClaim", "Natural", "in_naturalclaim_natural", "naturalclaim_id", "natural_id", "NaturalPerson"),
    ("ClientClaim", "CoClient", "in_clientclaim_coclient_naturalperson", "clientclaim_id", "coclient_id", "NaturalPerson"),
    ("ClientClaim", "CoClient", "in_clientclaim_coclient_legalperson", "clientclaim_id", "coclient_id", "LegalPerson"),
)


def test_what_was_put_in_can_be_read_back(make_company: Callable[..., Company], pytestconfig: pytest.Config) -> None:
    rows = pytestconfig.getoption("--round-trip-rows")
    # Half of them instances, half of them links.
    persons, firms, claims, links = rows // 5, rows // 10, rows // 5, rows // 4
    company = make_company(WORKED_EXAMPLE, partitions=4, consumers=2)
    fill(company, persons, firms, claims, links)
    database = company.database
    assert not database.value("select migrator.may_clear_in_tables(%s)", company.code)
    company.migrate(timeout=120 + rows / 500)
    database.execute("insert into migrator.in_topic (company, topic) values (%s, %s)", company.code, company.topic)
    assert not database.value("select migrator.may_clear_in_tables(%s)", company.code)
    database.execute("call migrator.consume(%s)", company.code)
    assert database.value("select migrator.may_clear_in_tables(%s)", company.code)

    assert database.query("select reason from migrator.dead_letter") == []
    assert database.value("select count(*) from in_migration.boi_reference where resolved_at is null") == 0
    instances = database.query("select bo, count(*), count(distinct external_id) from migrator.instance group by 1 order by 1")
    assert instances == [
        ("ClientClaim", claims // 2, claims // 2),
        ("LegalPerson", firms, firms),
        ("NaturalClaim", claims // 2, claims // 2),
        ("NaturalPerson", persons, persons),
    ]
    for bo, table, code, column in FIELDS:
        put = company.in_schema(f"select in_id, {column} from {{}}.{table} order by 1")
        got = database.query("select external_id, fields ->> %s from migrator.instance where bo = %s and state = 'ACTUAL' order by 1", code, bo)
        assert got == put, (bo, code)
    linked = 0
    for bo, code, table, owner, target, target_bo in LINK_TABLES:
        put = company.in_schema(f"select distinct {owner}, {target} from {{}}.{table} order by 1, 2")
        got = database.query(
            "select o.external_id, t.external_id from migrator.instance_link l join migrator.instance o on o.company = l.company and o.id = l.owner_id"
            " join migrator.instance t on t.company = l.company and t.id = l.target_id where o.bo = %s and l.field_code = %s and t.bo = %s order by 1, 2",
            bo, code, target_bo,
        )  # fmt: skip
        assert got == put, (bo, code)
        linked += len(got)
    assert database.value("select count(*) from migrator.instance_link") == linked
