"""Scratch PostgreSQL clusters and Kafka brokers for the tests and the demo."""

from .broker import Broker, Message, MockBroker
from .cluster import Cluster, Database
from .wait import wait_until

__all__ = ["Broker", "Cluster", "Database", "Message", "MockBroker", "wait_until"]
