"""What applying a message means: identities, states, merges, links, checks."""

import json
import re

import psycopg2
import pytest
from harness import Cluster, Database
from helpers.store import Store, by_value, message, nested
from helpers.structure import bo, document, field

STRUCTURE = document(
    bo("Person1", field("Name"), field("IIN", unique=True), field("Phone", unique=True), field("Born", "date"), field("Height", "number"), field("Ok", "flag"),
       field("Photo", "file"), field("Note", "text_block"), field("Friend", "bo", "Person1"), field("Work", "bo", "Firm"), field("Client", "co", "Client")),
    bo("Firm", field("Name"), field("BIN", "number", unique=True), field("Head", "bo", "Person1")),
    cos=[{"code": "Client", "members": ["Person1", "Firm"], "fields": [{"code": "BIIN", "map": {"Person1": "IIN", "Firm": "BIN"}}]}],
)


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database, STRUCTURE)


def test_values_become_canonical(store: Store) -> None:
    given = message("Person1", "p", Name="Ы \"x\"\n", Born="2024-12-26T14:59:33.2619+06:00", Height=1.8000, Ok=True, Photo="f1", Note="")
    assert store.apply(given) == "inserted"
    expected = {"Name": "Ы \"x\"\n", "Born": "2024-12-26T08:59:33.261Z", "Height": "1.8", "Ok": "true", "Photo": "f1", "Note": ""}
    assert store.fields("Person1", "p") == expected
    assert store.apply(given) == "unchanged"
    # A number keeps digits that no floating point has.
    assert store.apply('{"boCode":"Person1","externalId":"p","fields":[{"code":"Height","apiValue":12345678901234567890.123456789}]}') == "updated"
    assert (store.fields("Person1", "p") or {})["Height"] == "12345678901234567890.123456789"


def test_null_clears(store: Store) -> None:
    store.apply(message("Person1", "p", Name="n", IIN="1"))
    assert store.apply(message("Person1", "p", Name=None, IIN=None)) == "updated"
    assert store.fields("Person1", "p") == {}
    assert store.content()["values"] == []
    assert store.apply(message("Person1", "p", Name=None)) == "unchanged"


def test_unchanged_stamps_nothing_but_the_migration(store: Store) -> None:
    times = "select created_at, updated_at, in_migrated_at from migrator.instance"
    store.apply(message("Person1", "p", Name="n"))
    created, updated, migrated = store.database.query(times)[0]
    assert store.apply(message("Person1", "p", Name="n", state="ACTUAL")) == "unchanged"
    again = store.database.query(times)[0]
    assert again[:2] == (created, updated) and again[2] > migrated
    store.apply(message("Person1", "p", Name="m"))
    assert store.database.query(times)[0][1] > updated


def test_fields_are_what_postgresql_would_make_of_their_text(database: Database) -> None:
    """An instance's fields are written in jsonb's binary form, which keeps an offset for every 32nd key or value."""
    codes = [f"F{'x' * (n % 7)}{n}" for n in range(100)]
    store = Store(database, document(bo("Wide", *(field(code) for code in codes))))
    for count, word in ((1, ""), (31, "a"), (32, "Ы"), (33, 'q"\\\n'), (64, "e"), (100, "f" * 3000), (100, "g")):
        values = {code: f"{word}{n}" for n, code in enumerate(codes[:count])}
        for owner in ("once", f"new {count} {word[:1]}"):
            assert store.apply(message("Wide", owner, **values)) in ("inserted", "updated")
            assert store.apply(message("Wide", owner, **values)) == "unchanged"
            assert store.fields("Wide", owner) == values
            found = database.query("select array_agg(fields ->> code order by n) from migrator.instance, unnest(%s) with ordinality u (code, n) where external_id = %s",
                                   codes[:count], owner)[0][0]
            assert found == list(values.values())
    assert database.value("select bool_and(fields = fields::text::jsonb and fields::text = fields::text::jsonb::text) from migrator.instance")
    # To the byte; but for values so long that they stand elsewhere.
    database.execute("create extension pageinspect")
    for table, fields in (("ours", "fields"), ("theirs", "fields::text::jsonb")):
        database.execute(f"create table {table} as select {fields} as fields, bo, external_id from migrator.instance where length(fields::text) < 100000")
    stored = "(select t_attrs[3] as owner, t_attrs[1] as fields from generate_series(0, pg_relation_size('{0}') / 8192 - 1) page, heap_page_item_attrs(get_raw_page('{0}', page::int), '{0}')) {0}"
    rows = database.query(f"select count(*), count(*) filter (where ours.fields = theirs.fields) from {stored.format('ours')} join {stored.format('theirs')} using (owner)")
    assert rows == [(7, 7)]


def test_a_store_in_another_encoding(cluster: Cluster) -> None:
    """Texts are shorter there: the order of the keys in a jsonb is another one."""
    codes = [f"{'é' * (n % 4)}F{'x' * (n % 3)}{n}" for n in range(40)]
    with cluster.database("migrator", encoding="LATIN1") as database:
        store = Store(database, document(bo("Größe", *(field(code) for code in codes), field("Schlüssel", unique=True))))
        for word in ("ÿ ß", "a", "ü\n"):
            values = {code: f"{word}{n}" for n, code in enumerate(codes)} | {"Schlüssel": f"ö{word}"}
            assert store.apply(message("Größe", "é1", **values)) in ("inserted", "updated")
            assert store.apply(message("Größe", "é1", **values)) == "unchanged"
            assert store.fields("Größe", "é1") == values
            assert database.value("select fields = fields::text::jsonb and fields::text = fields::text::jsonb::text from migrator.instance")
        assert store.apply(message("Größe", "è2", Schlüssel="öa", **{codes[0]: "m"})) == "inserted"
        assert store.apply(message("Größe", "è4", Schlüssel="öü\n")) == "merged"
        with pytest.raises(psycopg2.errors.UntranslatableCharacter):
            store.apply(message("Größe", "é3", **{codes[0]: "Ы"}))


def test_triggers_of_others_fire(store: Store) -> None:
    """The tables are written below the executor, unless somebody has put a trigger on one."""
    store.database.execute("""
        create table public.seen (n integer generated always as identity, what text);
        create function watch() returns trigger language plpgsql as $$ begin insert into public.seen (what) values (tg_op || ' ' || tg_table_name); return new; end $$;
        create trigger watch before insert or update or delete on migrator.instance for each row execute function watch();
        create trigger watch after insert or update on migrator.instance_unique for each row execute function watch();
        create trigger watch after insert on migrator.seen_record for each row execute function watch()""")
    name = 'Ы "x"\\\t\n'
    assert store.apply(message("Person1", "p", Name=name, IIN="1", recordId="r")) == "inserted"
    assert store.apply(message("Person1", "p", Name="n")) == "updated"
    assert store.apply(message("Person1", "p", Name="n")) == "unchanged"
    assert store.apply(message("Person1", "p", Name=name)) == "updated"
    assert store.fields("Person1", "p") == {"Name": name, "IIN": "1"}
    assert [what for (what,) in store.database.query("select what from seen order by n")] == [
        "INSERT instance", "INSERT instance_unique", "INSERT seen_record", "UPDATE instance", "UPDATE instance", "UPDATE instance"]


def test_triggers_of_others_may_apply_messages(store: Store) -> None:
    """While a batch of thousands is written: to another company, and to this one with another structure."""
    other = document(bo("Person1", field("Name")), company="other") | {"company": {"code": "other", "name": "Other", "in_schema": "in_other"}}
    store.database.execute("select migrator.load_structure(%s)", json.dumps(other))
    store.database.execute("""
        create function copy_to(company text, new migrator.instance, external_id text, field text) returns text language sql as $$
          select migrator.apply_boi_input(company, jsonb_build_object('boCode', 'Person1', 'externalId', external_id,
            'fields', jsonb_build_array(jsonb_build_object('code', field, 'apiValue', new.fields -> 'Name')))) $$;
        create function follow() returns trigger language plpgsql as $$
        begin
          if new.company = 'greetgo' and new.external_id like 'p%' then
            if new.external_id ~ '^p(0|.*00)$' then
              insert into migrator.field (company, bo, code, type) values ('greetgo', 'Person1', 'Of ' || new.external_id, 'text') on conflict do nothing;
              perform public.copy_to('greetgo', new, 'like ' || new.external_id, 'Of ' || new.external_id);
            end if;
            perform public.copy_to('other', new, new.external_id, 'Name');
          end if;
          return new;
        end $$;
        create trigger follow before insert or update on migrator.instance for each row execute function follow()""")
    for name, verdict in (("one" * 50, "inserted"), ("two", "updated")):
        assert set(store.apply_all([message("Person1", f"p{n}", Name=name, IIN=str(n)) for n in range(2000)])) == {verdict}
        counted = "select company, count(*), count(*) filter (where %s in (select value from jsonb_each_text(fields))) from migrator.instance group by 1 order by 1"
        assert store.database.query(counted, name) == [("greetgo", 2020, 2020), ("other", 2000, 2000)]
    assert store.database.query("select bo, field, count(*) from migrator.instance_unique group by 1, 2") == [("Person1", "IIN", 2000)]


def test_columns_of_others_get_their_defaults(store: Store) -> None:
    store.database.execute("alter table migrator.instance add column note text not null default 'x', add column n bigint generated always as identity")
    store.database.execute("alter table migrator.instance add column gone text default 'x'")
    store.database.execute("alter table migrator.instance drop column gone")
    store.database.execute("alter table migrator.seen_record add column note text not null default 'y'")
    assert store.apply(message("Person1", "p", Name="1", recordId="r")) == "inserted"
    assert store.apply(message("Person1", "p", Name="2")) == "updated"
    assert store.database.query("select note, n from migrator.instance") == [("x", 1)]
    assert store.database.query("select note from migrator.seen_record") == [("y",)]


def test_an_index_of_others_refuses_a_message_for_good(store: Store) -> None:
    """It is no meeting with another session, which would be tried again and again."""
    store.database.execute("create unique index mine on migrator.instance ((fields ->> 'Name'))")
    store.apply_all([message("Person1", "p", Name="1"), message("Person1", "q", Name="2")])
    for given in (message("Person1", "new", Name="1"), message("Person1", "q", Name="1")):
        with pytest.raises(psycopg2.errors.UniqueViolation, match='"mine"'):
            store.apply(given)


def test_nothing_is_written_in_a_read_only_transaction(store: Store) -> None:
    store.apply(message("Person1", "p", Name="1"))
    before = store.content()
    store.database.execute("set default_transaction_read_only = on")
    for given in (message("Person1", "new", Name="1"), message("Person1", "p", Name="2")):
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            store.apply(given)
    store.database.execute("set default_transaction_read_only = off")
    store.database.execute("create trigger watch before update on migrator.instance for each row execute function suppress_redundant_updates_trigger()")
    store.database.execute("set default_transaction_read_only = on")
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        store.apply(message("Person1", "new", Name="1"))
    assert store.content() == before


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_transaction_with_an_old_snapshot_is_to_be_repeated(store: Store, level: str) -> None:
    """It would write what others have made out of date."""
    store.apply_all([message("Person1", "p", IIN="1"), message("Person1", "q", Name="1")])
    others = [message("Person1", "new", Name="1"), message("Person1", "q", Name="2"), message("Person1", "alias", IIN="1"), message("Person1", "owner", IIN="2")]
    ours = [message("Person1", "new", Name="3"), message("Person1", "q", Name="3"), message("Person1", "alias", Name="3"), message("Person1", "r", IIN="2")]
    with store.database.connect() as connection, connection.cursor() as cursor:
        for other, our in zip(others, ours, strict=True):
            cursor.execute(f"set transaction isolation level {level}; select count(*) from migrator.instance")
            store.apply(other)
            with pytest.raises(psycopg2.errors.SerializationFailure):
                cursor.execute("select migrator.apply_boi_input('greetgo', %s)", [json.dumps(our)])
            connection.rollback()
    connection.close()
    assert [row[1] for row in store.content()["instances"]] == ["new", "owner", "p", "q"]


def test_a_structure_that_was_rolled_back_is_forgotten(store: Store) -> None:
    def apply(**fields: str) -> str:
        return store.apply(message("Person1", "p", **fields))

    execute = store.database.execute
    execute("begin")
    execute("insert into migrator.field (company, bo, code, type) values ('greetgo', 'Person1', 'One', 'text')")
    assert apply(One="1") == "inserted"
    execute("savepoint two")
    execute("insert into migrator.field (company, bo, code, type) values ('greetgo', 'Person1', 'Two', 'text')")
    assert apply(Two="2") == "updated"
    execute("rollback to two")
    execute("savepoint two")
    with pytest.raises(psycopg2.errors.UndefinedObject, match='"Two"'):
        apply(Two="2")
    execute("rollback to two")
    assert apply(One="2") == "updated"
    execute("rollback")
    with pytest.raises(psycopg2.errors.UndefinedObject, match='"One"'):
        apply(One="1")


def test_everything_may_be_published(store: Store) -> None:
    """Rows of every table of the store can be changed where a publication wants to tell of it."""
    store.database.execute("create publication everything for all tables")
    store.apply(message("Person1", "p", [nested("Friend", message("Person1", "a")), nested("Friend", message("Person1", "b"))], IIN="1", recordId="r"))
    store.apply_all([message("Person1", "a", Name="n"), message("Person1", "q", IIN="1"), message("Person1", "p", IIN="2")])
    store.apply_all([message("Person1", "p", [{"fieldCode": "Friend", "apiValue": None}])])
    assert store.links("Person1", "p", "Friend") == set() == store.waiting()
    assert store.database.value("select migrator.forget_references('greetgo')") == 1
    assert store.database.value("select migrator.forget_records('greetgo', '-1 s')") == 1


def test_generated_ids(store: Store) -> None:
    store.apply_all([message("Person1", f"p{i}", Name="n") for i in range(500)])
    ids = [row[0] for row in store.database.query("select id from migrator.instance")]
    assert len(set(ids)) == 500 and all(re.fullmatch("[0-9A-Za-z@~]{16}", id) for id in ids)


def test_id_before_external_id(store: Store) -> None:
    assert store.apply(message("Person1", "p", id="given", Name="a")) == "inserted"
    assert store.apply(message("Person1", None, id="given", Name="b")) == "updated"
    # An unknown id with a known externalId is found by that; with an unknown one it is created.
    assert store.apply(message("Person1", "p", id="other", Name="c")) == "updated"
    assert store.apply(message("Person1", "q", id="other", Name="c")) == "inserted"
    # One more externalId leads to the same instance.
    assert store.apply(message("Person1", "p2", id="given", Name="d")) == "updated"
    assert store.apply(message("Person1", "p2", Name="e")) == "updated"
    assert store.fields("Person1", "p") == {"Name": "e"}
    assert store.database.query("select id from migrator.instance order by id") == [("given",), ("other",)]


def test_states(store: Store) -> None:
    for state in ("ARCHIVED", "TEST", "REMOVED", "ACTUAL"):
        assert store.apply(message("Person1", "p", Name="n", state=state)) in ("inserted", "updated")
        assert store.state("Person1", "p") == state
    assert store.apply(message("Person1", "p", state="REMOVED")) == "updated"
    assert store.fields("Person1", "p") == {"Name": "n"}, "removing leaves the fields"
    assert store.apply(message("Person1", "p", Name="m")) == "updated"
    assert store.state("Person1", "p") == "REMOVED", "without a state it stays"
    assert store.apply(message("Person1", "p", state="REMOVED")) == "unchanged"
    assert store.apply(message("Person1", "nobody", state="REMOVED")) == "skipped"
    assert store.apply(message("Person1", "new", Name="n")) == "inserted"
    assert store.state("Person1", "new") == "ACTUAL"


def test_nothing_to_migrate(store: Store) -> None:
    assert store.apply(message("Person1", "p")) == "skipped"
    assert store.apply(message("Person1", "p", Name=None)) == "skipped"
    assert store.content()["instances"] == []
    assert store.apply(message("Person1", "p", state="ACTUAL")) == "inserted", "only system BOs cannot be empty"


def test_record_ids(store: Store) -> None:
    first = message("Person1", "p", recordId="r", Name="a")
    assert store.apply(first) == "inserted"
    assert store.apply(first | {"externalId": "q"}) == "duplicate"
    long = "x" * 5000
    assert [store.apply(message("Person1", "p", recordId=long + end, Name=end)) for end in ("1", "2", "2")] == ["updated", "updated", "duplicate"]
    assert store.apply_all([message("Person1", "p", recordId="s", Name="x")] * 3) == ["updated", "duplicate", "duplicate"]
    # Nested ones do not count; a message that failed may come again.
    store.apply(message("Firm", "f", [nested("Head", message("Person1", "h", recordId="nested", Name="n"))]))
    assert store.apply(message("Person1", "p", recordId="nested", Name="y")) == "updated"
    with pytest.raises(psycopg2.Error):
        store.apply(message("Person1", "p", recordId="t", Height="tall"))
    assert store.apply(message("Person1", "p", recordId="t", Height="1")) == "updated"
    assert store.database.value("select migrator.forget_records('greetgo', '-1 s')") == 6
    assert store.apply(first) == "updated"


def test_merge_into_the_holder_of_a_unique_value(store: Store) -> None:
    assert store.apply(message("Person1", "a", IIN="1", Name="one")) == "inserted"
    assert store.apply(message("Person1", "b", IIN="1", Height=2)) == "merged"
    assert store.fields("Person1", "a") == store.fields("Person1", "b") == {"IIN": "1", "Name": "one", "Height": "2"}
    assert store.apply(message("Person1", "b", Name="two")) == "updated"
    assert store.database.value("select count(*) from migrator.instance") == 1
    # Two holders: nobody can tell which is meant.
    store.apply(message("Person1", "c", Phone="7"))
    with pytest.raises(psycopg2.errors.UniqueViolation, match="different instances"):
        store.apply(message("Person1", "d", IIN="1", Phone="7"))
    # A value that was given up is free.
    store.apply(message("Person1", "a", IIN="2"))
    assert store.apply(message("Person1", "e", IIN="1")) == "inserted"
    # In one batch, from hand to hand.
    assert store.apply_all([message("Person1", "a", IIN="3"), message("Person1", "e", IIN="2"), message("Person1", "f", IIN="1"), message("Person1", "g", IIN="3")]) == [
        "updated", "updated", "inserted", "merged"]
    assert [(row[2], row[3]) for row in store.content()["values"] if row[1] == "IIN"] == [("1", "f"), ("2", "e"), ("3", "a")]


def test_a_message_that_only_a_unique_value_tells_of(store: Store) -> None:
    """Neither id nor externalId finds anything, so by the third step it is a new one, and by the seventh it is merged."""
    assert store.apply(message("Person1", None, IIN="1", Name="one")) == "inserted"
    assert store.apply(message("Person1", None, IIN="1", Name="two")) == "merged"
    assert store.apply(message("Person1", None, IIN="1", Name="two")) == "unchanged"
    assert store.apply(message("Person1", "a", IIN="1")) == "merged", "the holder gets its external id"
    assert store.apply(message("Person1", "b", IIN="1")) == "merged", "and a second one"
    assert store.apply(message("Person1", "b", IIN="1")) == "unchanged", "which it is found by from now on"
    assert store.apply(message("Person1", None, [by_value("Friend", "IIN", "1")], IIN="1")) == "merged", "a link is news as well"
    assert store.apply_all([message("Person1", None, Phone="7"), message("Person1", None, Phone="7", Name="x"), message("Person1", "c", Phone="7", Name="x")]) == [
        "inserted", "merged", "merged"]
    assert store.apply(message("Person1", None, state="REMOVED", IIN="1")) == "updated", "the fourth step is before the seventh"
    assert store.fields("Person1", "a") == store.fields("Person1", "b") == {"IIN": "1", "Name": "two"}
    assert store.state("Person1", "a") == "REMOVED"
    assert store.database.value("select count(*) from migrator.instance") == 2


def test_long_unique_values(store: Store) -> None:
    long = "Ы" * 3000
    store.apply(message("Person1", "a", IIN=long + "1"))
    assert store.apply(message("Person1", "b", IIN=long + "2")) == "inserted"
    assert store.apply(message("Person1", "c", IIN=long + "2")) == "merged"
    store.apply(message("Firm", "f", [by_value("Head", "IIN", long + "1")]))
    assert store.links("Firm", "f", "Head") == {"a"}
    assert store.database.value("select count(*) from migrator.instance_unique u join migrator.instance i using (company, id) where u.value = migrator.unique_key(fields ->> 'IIN')") == 2


def test_links_wait_by_value_and_by_external_id(store: Store) -> None:
    links = [by_value("Friend", "IIN", "1"), by_value("Client", "BIIN", 5.0, "Firm"), nested("Friend", message("Person1", "x")), nested("Client", message("Person1", "y"))]
    assert store.apply(message("Person1", "p", links)) == "inserted"
    assert store.apply(message("Person1", "p", links)) == "unchanged"
    assert store.waiting() == {("Friend", "Person1", "IIN", "1"), ("Client", "Firm", "BIN", "5"), ("Friend", "Person1", None, "x"), ("Client", "Person1", None, "y")}
    updated = store.database.value("select updated_at from migrator.instance")
    store.apply(message("Person1", "x", Name="n"))
    assert store.database.value("select updated_at from migrator.instance where external_id = 'p'") > updated
    # An update brings the awaited value.
    store.apply(message("Person1", "other", Name="n"))
    store.apply(message("Person1", "other", IIN="1"))
    store.apply_all([message("Firm", "f", BIN="5.00"), message("Person1", "y", Name="n")])
    assert store.links("Person1", "p", "Friend") == {"x", "other"}
    assert store.links("Person1", "p", "Client") == {"f", "y"}
    assert store.waiting() == set()
    assert store.database.value("select count(*) from in_migration.boi_reference where resolved_at is not null") == 4
    assert store.database.value("select migrator.forget_references('greetgo')") == 4


def test_links_are_added_and_cleared(store: Store) -> None:
    store.apply_all([message("Person1", f"f{i}", IIN=str(i)) for i in range(4)])
    store.apply(message("Person1", "p", [by_value("Friend", "IIN", "0"), by_value("Friend", "IIN", "1")]))
    assert store.apply(message("Person1", "p", [by_value("Friend", "IIN", "2"), by_value("Friend", "IIN", "9")])) == "updated"
    assert store.links("Person1", "p", "Friend") == {"f0", "f1", "f2"}
    clear = {"fieldCode": "Friend", "apiValue": None}
    assert store.apply(message("Person1", "p", [clear, by_value("Friend", "IIN", "3")])) == "updated"
    assert store.links("Person1", "p", "Friend") == {"f3"}
    assert store.waiting() == set(), "what waits is cleared as well"
    assert store.apply(message("Person1", "p", [clear])) == "updated"
    assert store.apply(message("Person1", "p", [clear])) == "unchanged"


def test_nested_messages(store: Store) -> None:
    firm = message("Firm", "f", [nested("Head", message("Person1", "h", Name="head"))], Name="firm")
    assert store.apply(message("Person1", "p", [nested("Work", firm)], Name="worker")) == "inserted"
    assert store.links("Person1", "p", "Work") == {"f"} and store.links("Firm", "f", "Head") == {"h"}
    # A change far inside is a change; the same again is none.
    deep = message("Person1", "p", [nested("Work", message("Firm", "f", [nested("Head", message("Person1", "h", Name="chief"))]))])
    assert [store.apply(deep), store.apply(deep)] == ["updated", "unchanged"]
    assert store.fields("Person1", "h") == {"Name": "chief"}
    # Removed: the target, and the link to it.
    assert store.apply(message("Firm", "f", [nested("Head", message("Person1", "h", state="REMOVED"))])) == "updated"
    assert store.links("Firm", "f", "Head") == set() and store.state("Person1", "h") == "REMOVED"
    # boCode of a nested message follows from a field that leads to one BO.
    assert store.apply(message("Firm", "f", [nested("Head", {"externalId": "z", "fields": [{"code": "Name", "apiValue": "z"}]})])) == "updated"
    assert store.links("Firm", "f", "Head") == {"z"}


def test_a_bad_message_leaves_nothing_behind(store: Store) -> None:
    store.apply(message("Person1", "p", Name="n", IIN="1"))
    before = store.content()
    bad = message("Firm", "f", [nested("Head", message("Person1", "p", Name="changed", IIN="2")), nested("Head", message("Person1", None, id="unknown", Name="x"))], Name="firm")
    good = [message("Person1", f"g{i}", Name="n") for i in range(3)]
    rows = store.database.query(
        "select outcome, sqlstate from migrator.apply_boi_inputs('greetgo', %s) order by n", [json.dumps(m) for m in (good[0], bad, good[1], bad, good[2])]
    )
    assert rows == [("inserted", None), (None, "P0002"), ("inserted", None), (None, "P0002"), ("inserted", None)]
    store.database.execute("delete from migrator.instance where external_id like 'g%'")
    assert store.content() == before


def test_cycles_of_links(store: Store) -> None:
    ring = message("Person1", "a", [nested("Friend", message("Person1", "b", [nested("Friend", message("Person1", "a"))], Name="b"))], Name="a")
    assert store.apply(ring) == "inserted"
    assert store.links("Person1", "a", "Friend") == {"b"} and store.links("Person1", "b", "Friend") == {"a"}
    assert store.apply(message("Person1", "self", [by_value("Friend", "IIN", "s")], IIN="s")) == "inserted"
    assert store.links("Person1", "self", "Friend") == {"self"}


def test_depth_has_a_bound(store: Store) -> None:
    def chain(depth: int) -> dict[str, object]:
        text = message("Person1", f"d{depth}", Name="n")
        for i in range(depth - 1, 0, -1):
            text = message("Person1", f"d{i}", [nested("Friend", text)], Name="n")
        return text

    assert store.apply(chain(100)) == "inserted"
    assert store.database.value("select count(*) from migrator.instance_link") == 99
    with pytest.raises(psycopg2.Error, match="nested too deeply") as error:
        store.apply(chain(101))
    assert error.value.pgcode == "54000"


def test_system_bos_need_a_system_field(store: Store) -> None:
    store.database.execute("insert into migrator.field (company, bo, code, type) values ('greetgo', 'Person', 'mine', 'text')")
    with pytest.raises(psycopg2.errors.NotNullViolation, match="system field"):
        store.apply(message("Person", "p", mine="x"))
    assert store.apply(message("Person", "p", mine="x", name="n")) == "inserted"
    assert store.apply(message("Person", "p", mine="y")) == "updated"
    with pytest.raises(psycopg2.Error, match="does not take part"):
        store.apply(message("Company", "c", name="n"))


def test_reference_check(store: Store) -> None:
    def check(target: str, owner: str = "p") -> str:
        return store.apply({"externalId": owner, "boCode": "Person1", "check": [{"fieldCode": "Friend", "boCode": "Person1", "externalId": target}]})

    def incomplete() -> list[tuple[str, ...]]:
        return store.database.query("select external_id, field_code, to_external_id from migrator.incomplete_reference order by 1, 2, 3")

    store.apply_all([message("Person1", "p", [nested("Friend", message("Person1", "a")), nested("Friend", message("Person1", "b"))]), message("Person1", "a", Name="a")])
    assert [check("a"), check("b"), check("c"), check("a", "nobody")] == ["unchanged"] * 4
    assert incomplete() == [("nobody", "Friend", "a"), ("p", "Friend", "b"), ("p", "Friend", "c")]
    store.apply_all([message("Person1", "b", Name="b"), message("Person1", "c", Name="c")])
    check("b")
    assert incomplete() == [("nobody", "Friend", "a"), ("p", "Friend", "c")]
    store.apply(message("Person1", "p", [nested("Friend", message("Person1", "c"))]))
    store.database.execute("select migrator.retry_references('greetgo')")
    assert incomplete() == [("nobody", "Friend", "a")]


def test_reference_check_in_one_batch_with_what_it_checks(store: Store) -> None:
    owner = message("Person1", "p", [nested("Friend", message("Person1", "a"))])
    check = {"externalId": "p", "boCode": "Person1", "check": [{"fieldCode": "Friend", "boCode": "Person1", "externalId": "a"}]}
    assert store.apply_all([owner, check, message("Person1", "a", Name="a"), owner, check]) == ["inserted", "unchanged", "inserted", "unchanged", "unchanged"]
    assert store.database.query("select * from migrator.incomplete_reference") == []


def test_retry_finds_targets_that_were_there(store: Store) -> None:
    store.database.execute("update migrator.field set is_unique = false where bo = 'Person1' and code = 'Phone'")
    store.apply(message("Person1", "a", Phone="7"))
    store.database.execute("update migrator.field set is_unique = true where bo = 'Person1' and code = 'Phone'")
    store.database.execute("insert into in_migration.boi_reference (company, owner_id, field_code, to_bo, to_field, value) select company, id, 'Friend', bo, 'Phone', '7' from migrator.instance")
    assert store.database.value("select migrator.retry_references('greetgo')") == 1
    assert store.links("Person1", "a", "Friend") == {"a"}
    assert store.database.value("select migrator.retry_references('greetgo')") == 0


def test_several_calls_in_one_statement(store: Store) -> None:
    """Each answer is still there when the next one has been made."""
    texts = [json.dumps(message("Person1", "p", [by_value("Friend", "IIN", "1")])), json.dumps(message("Person1", "p", Name="n"))] * 2
    answers = ", ".join(["migrator.apply_boi_input('greetgo', %s)"] * len(texts))
    assert store.database.query(f"select {answers}", *texts) == [("inserted", "updated", "unchanged", "unchanged")]


def test_jsonb_is_a_message_too(store: Store) -> None:
    assert store.database.value("select migrator.apply_boi_input('greetgo', %s::jsonb)", json.dumps(message("Person1", "p", Height=1.5))) == "inserted"
    assert store.fields("Person1", "p") == {"Height": "1.5"}
