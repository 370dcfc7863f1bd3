"""A Kafka broker of one node: Apache's own for the tests, librdkafka's mock cluster where no Java is wanted."""

import contextlib
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from .process import ROOT, free_port, spawn, terminate
from .proxy import Proxy
from .wait import wait_until

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},PROXIED://127.0.0.1:{behind_proxy}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxy}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
group.initial.rebalance.delay.ms=0
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
"""
# Small and soon there, at the price of speed.
TEST_JAVA = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True)
class Message:
    topic: str
    partition: int
    offset: int
    key: str | None
    value: str | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class KafkaClient:
    """What a test does to the topics of any broker, whoever runs it."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def create_topic(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        admin = self._admin()  # the answer comes only while the client lives
        admin.create_topics([topic])[name].result(timeout=30)
        # The answer comes from the controller; other requests go by the broker's own, slightly later, knowledge.
        wait_until(lambda: self.topics().get(name) == partitions, what=f"topic {name} is there")
        return name

    def delete_topic(self, name: str) -> None:
        admin = self._admin()
        admin.delete_topics([name])[name].result(timeout=30)
        wait_until(lambda: name not in self.topics(), what=f"topic {name} is gone")

    def configure_topic(self, name: str, config: dict[str, str]) -> None:
        """Sets a topic's configuration; the broker applies it a little later."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, name, set_config=config)
        admin = self._admin()
        admin.alter_configs([resource])[resource].result(timeout=30)

    def topics(self) -> dict[str, int]:
        """Partitions by topic."""
        metadata = self._admin().list_topics(timeout=10)
        return {name: len(topic.partitions) for name, topic in metadata.topics.items() if topic.error is None}

    def messages(self, topic: str, isolation: str = "read_committed") -> list[Message]:
        """All messages of a topic up to its present end, by partition and offset."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "test-reader",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "isolation.level": isolation,
            }
        )
        try:
            metadata = consumer.list_topics(topic, timeout=10).topics[topic]
            if metadata.error is not None:
                raise KafkaException(metadata.error)
            open_partitions = set(metadata.partitions)
            consumer.assign([TopicPartition(topic, number, 0) for number in open_partitions])
            found = []
            while open_partitions:
                record = consumer.poll(30)
                if record is None:
                    raise TimeoutError(f"partitions {open_partitions} of {topic} have no end")
                if record.error() is None:
                    found.append(_message(record))
                elif record.error().code() == KafkaError._PARTITION_EOF:
                    open_partitions.discard(record.partition())
                else:
                    raise KafkaException(record.error())
        finally:
            consumer.close()
        return sorted(found, key=lambda message: (message.partition, message.offset))

    def size(self, topic: str) -> int:
        """Offsets of a topic in use; with transactions their markers are among them."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "test-size"})
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            ends = [consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10) for number in partitions]
        finally:
            consumer.close()
        return sum(high - low for low, high in ends)

    def count(self, topic: str, isolation: str = "read_committed") -> int:
        return len(self.messages(topic, isolation))

    def produce(self, topic: str, *records: tuple[str | None, str | None]) -> None:
        """Appends (key, value) records and waits until the broker has them."""
        failures: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: object) -> None:
            if error is not None:
                failures.append(error)

        producer = Producer({"bootstrap.servers": self.bootstrap, "partitioner": "murmur2_random", "linger.ms": 5})
        for key, value in records:
            producer.produce(topic, key=key, value=value, on_delivery=delivered)
            producer.poll(0)
        if producer.flush(30) or failures:
            raise KafkaException(failures[0] if failures else KafkaError(KafkaError._MSG_TIMED_OUT))

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """What retention does: the records below an offset are gone. Debian's client does not know the request."""
        name = topic.encode()
        body = struct.pack(f">hhih i h{len(name)}s i iq i", 21, 0, 1, -1, 1, len(name), name, 1, partition, before, 30000)
        host, port = self.bootstrap.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=30) as connection, connection.makefile("rb") as answers:
            connection.sendall(struct.pack(">i", len(body)) + body)
            answer = answers.read(struct.unpack(">i", answers.read(4))[0])
        low, error = struct.unpack(">qh", answer[-10:])
        assert (low, error) == (before, 0), f"low watermark {low}, error {error}"

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "socket.timeout.ms": 10000})


def _message(record: object) -> Message:
    key, value = record.key(), record.value()  # type: ignore[attr-defined]
    return Message(
        record.topic(),  # type: ignore[attr-defined]
        record.partition(),  # type: ignore[attr-defined]
        record.offset(),  # type: ignore[attr-defined]
        None if key is None else key.decode(),
        None if value is None else value.decode(),
        tuple(record.headers() or ()),  # type: ignore[attr-defined]
    )


class Broker(KafkaClient):
    """Apache Kafka: KRaft, one node, which keeps its port and its data over every stop and start."""

    def __init__(
        self, settings: Mapping[str, str] | None = None, java: Sequence[str] = TEST_JAVA, port: int | None = None, cluster_id: str = "AAAAAAAAAAAAAAAAAAAAAQ"
    ) -> None:
        """Prepares a broker; `java` are options of the virtual machine. `port`: one that another broker has left."""
        self.root = Path(tempfile.mkdtemp(prefix="migrator-kafka-"))
        self._java_options = java
        self._cluster_id = cluster_id
        self.port = port or free_port()
        super().__init__(f"127.0.0.1:{self.port}")
        self.log_file = self.root / "broker.log"
        self._libs = ROOT / "build" / "kafka" / "libs"
        self._process: subprocess.Popen[str] | None = None
        self._properties = self.root / "server.properties"
        # Clients that come through a proxy are led to it by what this listener advertises.
        self._proxy, self._behind_proxy = free_port(), free_port()
        text = PROPERTIES.format(
            port=self.port,
            controller=free_port(),
            proxy=self._proxy,
            behind_proxy=self._behind_proxy,
            data=self.root / "data",
        )
        text += "".join(f"{name}={value}\n" for name, value in (settings or {}).items())
        self._properties.write_text(text)
        with self._removed_on_failure():
            self._format()

    def _java(self, main: str, *arguments: str) -> list[str]:
        if not self._libs.is_dir():
            raise RuntimeError("Kafka's jars are missing: run scripts/fetch-kafka.sh")
        options = [*self._java_options, "-Dorg.slf4j.simpleLogger.showDateTime=true"]
        return ["java", *options, "-cp", f"{self._libs}/*", main, *arguments]

    def _format(self) -> None:
        command = self._java("kafka.tools.StorageTool", "format", "-t", self._cluster_id)
        done = subprocess.run([*command, "-c", str(self._properties)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"Kafka's storage was not formatted: {done.stdout}{done.stderr}")

    def start(self) -> "Broker":
        self._process = spawn(self._java("kafka.Kafka", str(self._properties)), self.log_file, directory=self.root)
        wait_until(self._answers, what="Kafka answers", timeout=90)
        return self

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"Kafka did not start:\n{self.log_file.read_text()[-3000:]}")
        try:
            AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0}).list_topics(timeout=1)
        except KafkaException:
            return False
        return True

    def proxy(self) -> Proxy:
        """What a client at its address reaches this broker through."""
        return Proxy(self._proxy, self._behind_proxy)

    def stop(self) -> None:
        if self._process is not None:
            terminate(self._process, signal.SIGTERM, timeout=60)
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            terminate(self._process, signal.SIGKILL, timeout=10)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """The broker keeps its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    @contextlib.contextmanager
    def _removed_on_failure(self) -> Iterator[None]:
        """Until __enter__ has returned, nobody else cleans up, also not after Ctrl-C."""
        try:
            yield
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> "Broker":
        with self._removed_on_failure():
            return self.start()

    def __exit__(self, *_: object) -> None:
        self.remove()


class MockBroker(KafkaClient):
    """librdkafka's mock cluster in a process of its own: starts at once, but knows no aborted transactions."""

    PROGRAM = ROOT / "build" / "mock_broker"

    def __init__(self, topics: Mapping[str, int]) -> None:
        super().__init__("")  # known once it runs
        self._topics = [f"{name}:{partitions}" for name, partitions in topics.items()]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "MockBroker":
        # It leaves when its standard input closes, which the system does for us however we end.
        self._process = subprocess.Popen(
            [str(self.PROGRAM), *self._topics],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], 10)
        line = os.read(self._process.stdout.fileno(), 1000).decode().strip() if ready else ""
        if not line:
            self.__exit__()
            raise RuntimeError("the embedded broker did not start")
        self.bootstrap = line
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
