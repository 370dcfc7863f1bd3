"""Scratch PostgreSQL clusters and Kafka brokers for the tests and the demo."""

from .broker import Broker, KafkaClient, Message, MockBroker
from .cluster import Cluster, Database
from .installation import Installation
from .wait import wait_until

__all__ = ["Broker", "Cluster", "Database", "Installation", "KafkaClient", "Message", "MockBroker", "wait_until"]
