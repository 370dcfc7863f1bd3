"""What the end-to-end tests of migrations share: a company with its supplier, and the messages that it must produce."""

from .company import Company
from .messages import check_message, fields_message, link_message, partition_of
from .structure import WORKED_EXAMPLE, bo, document, field

__all__ = [
    "WORKED_EXAMPLE",
    "Company",
    "bo",
    "check_message",
    "document",
    "field",
    "fields_message",
    "link_message",
    "partition_of",
]
