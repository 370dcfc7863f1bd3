"""Scratch PostgreSQL clusters and Kafka brokers for the tests and the demo."""

from .broker import Broker, KafkaClient, Message, MockBroker
from .cluster import Cluster, Database
from .wait import wait_until

__all__ = ["Broker", "Cluster", "Database", "KafkaClient", "Message", "MockBroker", "wait_until"]
