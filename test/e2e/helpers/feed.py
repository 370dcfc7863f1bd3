"""Messages of every kind that keep coming, from producers that know nothing of ours, while things break."""

import contextlib
import random
import threading
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaException, Producer

from .messages import compact

BAD = (
    b"",
    b"{",
    b"[]",
    None,
    b'{"externalId":"x","boCode":"Nothing","fields":[]}',
    b'{"externalId":"x","boCode":"Thing","fields":[{"code":"Nothing","apiValue":"1"}]}',
    b'{"externalId":"x","boCode":"Thing","fields":[{"code":"Amount","apiValue":"many"}]}',
    b'{"externalId":"x","boCode":"Thing","fields":[{"code":"Text","apiValue":"\xff\xfe"}]}',
    b'{"externalId":"x","boCode":"Thing","fields":[{"code":"Text","apiValue":"\\u0000"}]}',
    b'{"externalId":"x","boCode":"Thing","fields":[],"boFields":[{"fieldCode":"Text","apiValue":"1"}]}',
)
KINDS = {"new": 40, "again": 8, "same": 6, "merged": 8, "linked": 12, "cleared": 4, "removed": 4, "revived": 4, "nothing": 4, "bad": 6, "anonymous": 4}


class Messages:
    """Draws messages about so many groups of instances. A group is an instance with its two external ids."""

    def __init__(self, dice: random.Random, groups: int) -> None:
        self.groups = groups
        self._dice = dice
        self._count = 0
        self._last: dict[int, bytes] = {}

    def next(self, group: int) -> bytes | None:
        self._count += 1
        [kind] = self._dice.choices(list(KINDS), list(KINDS.values()))
        if kind == "bad":
            return self._dice.choice(BAD)
        if kind == "again":  # with the same recordId
            return self._last.get(group, b"[]")
        message: dict[str, Any] = {"recordId": f"r{self._count}", "externalId": f"x{group}", "boCode": "Thing"}
        if kind == "anonymous":
            del message["recordId"]
        if kind in ("new", "anonymous"):
            hub = self._dice.randrange(20)
            inside = {"externalId": f"h{hub}", "boCode": "Hub", "fields": [_field("Name", f"Центр {hub}"), _field("Key", f"k{hub}")]}
            message["fields"] = [_field("Text", f"текст {self._count}"), _field("Amount", str(self._count)), _field("Code", f"c{group}")]
            message["boFields"] = [{"fieldCode": "Hub", "boiInput": inside}, self._link()]
        elif kind == "same":
            message["fields"] = [_field("Code", f"c{group}")]
        elif kind == "merged":  # one more external id, which the unique value leads to its instance
            message |= {"externalId": f"y{group}", "fields": [_field("Code", f"c{group}")]}
            if self._dice.random() < 0.5:
                message["fields"].append(_field("Text", f"слияние {self._count}"))
        elif kind == "linked":
            message["boFields"] = [self._link() for _ in range(self._dice.randint(1, 3))]
        elif kind == "cleared":
            message["boFields"] = [{"fieldCode": "Part", "apiValue": None}]
        elif kind in ("removed", "revived"):
            message["state"] = "REMOVED" if kind == "removed" else "ACTUAL"
        value = compact(message).encode()
        self._last[group] = value
        return value

    def _link(self) -> dict[str, Any]:
        """Each target has one form of naming it. Some never come, and are waited for."""
        target = self._dice.randrange(self.groups * 11 // 10)
        if target % 2:
            return {"fieldCode": "Part", "boiInput": {"externalId": f"x{target}", "boCode": "Thing"}}
        return {"fieldCode": "Part", "toBoCode": "Thing", "toFieldCode": "Code", "apiValue": f"c{target}"}


class Feed:
    """A thread that produces bursts, some of them in transactions, some of which are aborted.

    All messages about an instance have one key: their order is that of their partition. What is in the topics in the end
    is what counts; a burst that got lost with its broker is none.
    """

    def __init__(self, bootstrap: str, topics: Sequence[str], dice: random.Random, pace: float) -> None:
        """`pace`: messages a second."""
        self._bootstrap = bootstrap
        self._topics = topics
        self._dice = dice
        self._pace = pace
        self._messages = Messages(dice, 300)
        self._over = threading.Event()
        self._failures: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)
        self._producer = Producer(self._config())
        self._transactional: Producer | None = None

    def _config(self, **more: Any) -> dict[str, Any]:
        return {"bootstrap.servers": self._bootstrap, "partitioner": "murmur2_random", "linger.ms": 5, "log_level": 0} | more

    def begin(self, backlog: int) -> None:
        self._burst(self._producer, backlog)
        self._producer.flush(60)
        self._thread.start()

    def close(self) -> None:
        """No more; raises what went wrong."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(120)
        assert not self._thread.is_alive(), "the feed does not end"
        if self._failures:
            raise self._failures[0]

    def _run(self) -> None:
        try:
            while not self._over.wait(100 / self._pace):
                if self._dice.random() < 0.3:
                    self._transaction()
                else:
                    self._burst(self._producer, 100)
            # Whatever an unfinished transaction would hold up must have its end.
            while self._transactional is None and not self._open_transactional():
                time.sleep(0.2)
            self._producer.flush(60)
        except BaseException as error:
            self._failures.append(error)

    def _open_transactional(self) -> bool:
        producer = Producer(self._config(**{"transactional.id": f"feed-{self._topics[0]}", "transaction.timeout.ms": 10000}))
        with contextlib.suppress(KafkaException):
            producer.init_transactions(10)
            self._transactional = producer
        return self._transactional is not None

    def _transaction(self) -> None:
        if self._transactional is None and not self._open_transactional():
            return
        producer = self._transactional
        assert producer is not None
        try:
            producer.begin_transaction()
            self._burst(producer, 100)
            if self._dice.random() < 0.6:
                producer.commit_transaction(10)
            else:
                producer.flush(10)  # so that there is something to abort
                producer.abort_transaction(10)
        except KafkaException:
            self._transactional = None  # the next one aborts what this one has left open

    def _burst(self, producer: Producer, count: int) -> None:
        for _ in range(count):
            group = self._dice.randrange(self._messages.groups)
            topic = self._topics[group % len(self._topics)]
            with contextlib.suppress(BufferError):  # a broker that is away: this message never was
                producer.produce(topic, key=f"g{group}", value=self._messages.next(group))
            producer.poll(0)


def _field(code: str, value: str) -> dict[str, str]:
    return {"code": code, "apiValue": value}
