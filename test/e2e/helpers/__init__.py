"""What the end-to-end tests of migrations share: a company with its supplier, and the messages that it must produce."""

from .company import Company
from .messages import (
    check_message,
    check_record,
    fields_message,
    link_message,
    link_record,
    partition_of,
    row_record,
)
from .structure import WORKED_EXAMPLE, bo, document, field

__all__ = [
    "WORKED_EXAMPLE",
    "Company",
    "bo",
    "check_message",
    "check_record",
    "document",
    "field",
    "fields_message",
    "link_message",
    "link_record",
    "partition_of",
    "row_record",
]
