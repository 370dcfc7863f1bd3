"""Structures as migrator.load_structure takes them."""

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]


def field(code: str, type: str = "text", target: str | None = None, **marks: bool) -> Json:
    """A field that is loaded from the in-table; marks: unique, key, out, or in=False by `**{"in": False}`."""
    return {"code": code, "type": type, "in": True} | ({"target": target} if target else {}) | marks


def bo(code: str, *fields: Json) -> Json:
    return {"code": code, "fields": list(fields)}


def document(*bos: Json, cos: Sequence[Json] = (), company: str = "greetgo") -> Json:
    return {"company": {"code": company}, "bos": list(bos), "cos": list(cos)}


# The worked example of the requirements: four BOs and a CO of two of them.
WORKED_EXAMPLE = document(
    bo("NaturalPerson", field("Surname"), field("Name"), field("IIN", unique=True), field("BirthDate", "date")),
    bo("LegalPerson", field("Name"), field("BIN", unique=True), field("CreateDate", "date")),
    bo("ClientClaim", field("Name"), field("Descr", "text_block"), field("CoClient", "co", "Client")),
    bo("NaturalClaim", field("Name"), field("Descr", "text_block"), field("Natural", "bo", "NaturalPerson")),
    cos=[
        {
            "code": "Client",
            "members": ["NaturalPerson", "LegalPerson"],
            "fields": [
                {"code": "CrDate", "map": {"NaturalPerson": "BirthDate", "LegalPerson": "CreateDate"}},
                {"code": "BIIN", "map": {"NaturalPerson": "IIN", "LegalPerson": "BIN"}},
                {"code": "Name", "map": {"NaturalPerson": "Name", "LegalPerson": "Name"}},
            ],
        }
    ],
)
