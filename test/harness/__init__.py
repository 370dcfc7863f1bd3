"""Scratch PostgreSQL clusters and Kafka brokers for the tests and the demo."""

from .broker import Broker, KafkaClient, Message, MockBroker
from .cluster import Cluster, Database
from .installation import Installation
from .proxy import Action, Api, Proxy, Rule
from .wait import wait_until

__all__ = [
    "Action",
    "Api",
    "Broker",
    "Cluster",
    "Database",
    "Installation",
    "KafkaClient",
    "Message",
    "MockBroker",
    "Proxy",
    "Rule",
    "wait_until",
]
