"""The samples of the message's description, as they stand there."""

from pathlib import Path

from harness import Database
from helpers.store import Store
from helpers.structure import bo, document, field

SAMPLES = Path(__file__).with_name("samples")


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.json").read_text()


def apply(store: Store, name: str) -> str:
    # The samples' recordId is "random-value" everywhere.
    store.database.execute("delete from migrator.seen_record")
    return store.apply(sample(name))


def test_simple_fields(database: Database) -> None:
    store = Store(database, document(bo("Clinet", field("NAME"), field("LASTNAME"), field("IIN", "number", unique=True))))
    assert apply(store, "client") == "inserted"
    assert store.fields("Clinet", "bfsseVCjGC225bM@") == {"NAME": "Сергей", "LASTNAME": "Иванов", "IIN": "17"}
    assert store.apply(sample("client")) == "duplicate"
    assert apply(store, "client") == "unchanged"


SCHOOL = document(
    bo("school", field("number"), field("name"), field("student", "bo", "student"), field("class", "bo", "class")),
    bo("class", field("number"), field("name"), field("class_id", unique=True), field("student", "bo", "student")),
    bo("student", field("name"), field("surname"), field("student_id", unique=True)),
)


def test_links_by_unique_field(database: Database) -> None:
    store = Store(database, SCHOOL)
    assert [apply(store, name) for name in ("student1", "student2", "school_with_students")] == ["inserted"] * 3
    assert store.links("school", "MVLFsYhLv5eVbkXE", "student") == {"7fq@eZ1kpg0iwHVV", "Iqn5iMZcg~M1I5o0"}


def test_standard_and_recursive_form_end_in_the_same(database: Database) -> None:
    store = Store(database, SCHOOL)
    for name in ("school", "class", "student1", "student2"):
        assert apply(store, name) == "inserted"
    standard = store.content()
    assert standard["waiting"] == []
    database.execute("select migrator.clear_store('greetgo')")
    assert apply(store, "school_recursive") == "inserted"
    assert store.content() == standard
    assert store.links("class", "MVLFsYhLv5eVbkXE", "student") == {"7fq@eZ1kpg0iwHVV", "Iqn5iMZcg~M1I5o0"}


def test_system_bos(database: Database) -> None:
    store = Store(database, document(bo("BO", field("Text"), field("Polzovateli", "bo", "Person"))))
    assert store.apply('{"externalId": "q", "boCode": "Person", "fields": [{"code": "email", "apiValue": "qwe@qwe.qwe"}]}') == "inserted"
    for number in range(1, 6):
        assert apply(store, f"system{number}") == "inserted"
    assert store.links("BO", "bfsseVCjGC225bM@", "Polzovateli") == {"q"}
    assert store.links("BO", "cfsseVCjGC225bM@", "Polzovateli") == {"fgL9~4keReK7Z1qi"}
    assert database.value("select external_id from migrator.instance where id = '~7TZ9zwn9P3Tj7Xx'") == "fgL9~4keReK7Z1qi"
    assert store.links("PersonGroup", "zfsseVCjGC225bM@", "header") == {"fgL9~4keReK7Z1qi"}
    assert store.links("PersonGroup", "zfsseVCjGC225bM@", "users") == {"q"}
    assert store.links("Department", "kfsseVCjGC225bM@", "parent") == {"pfsseVCjGC225bM@"}
    assert store.waiting() == {("header", "Person", "email", "alikhan@gmail.com"), ("person", "Person", "email", "yerkebulan@gmail.com")}
    assert [apply(store, name) for name in ("system6", "system7")] == ["inserted"] * 2
    assert store.waiting() == set()
    assert store.links("Department", "pfsseVCjGC225bM@", "header") == {"~gL9~4keReK7Z1qi"}
    assert store.links("Department", "pfsseVCjGC225bM@", "person") == {"~mL9~4keReK7Z1qi"}


def test_the_message_with_everything(database: Database) -> None:
    structure = document(
        bo("BO", field("textField"), field("textField2"), field("boTextField", "co", "Any")),
        bo("BO2", field("textFieldOfBO2", unique=True)),
        cos=[{"code": "Any", "members": ["BO", "BO2"]}],
    )
    store = Store(database, structure)
    # The nested message names its owner: a link to itself.
    assert apply(store, "everything") == "inserted"
    assert store.links("BO", "bfsseVCjGC225bM@", "boTextField") == {"bfsseVCjGC225bM@"}
    assert store.waiting() == {("boTextField", "BO2", "textFieldOfBO2", "015252634519")}
