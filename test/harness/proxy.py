"""A proxy between Kafka clients and a broker that knows requests, so that a test can lose, cut or delay a certain one."""

import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

from .wait import wait_until


CONCURRENT_TRANSACTIONS = 51  # the broker is busy with this transactional id and did not look at the request


class Api(IntEnum):
    PRODUCE = 0
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    END_TXN = 26


class Action(Enum):
    DROP_REQUEST = "the broker never sees the request, the client hears nothing"
    DROP_RESPONSE = "the broker acts on the request, the client hears nothing"
    CUT_BEFORE = "the connection breaks before the broker sees the request"
    CUT_AFTER = "the connection breaks when the broker has acted on the request, before the client hears of it"
    DELAY = "the connection breaks, and the broker gets the request later, when it has answered another one"  # not INIT_PRODUCER_ID


@dataclass
class Rule:
    """What happens once, to the request number `skip` + 1 of its kind from now on."""

    api: Api
    action: Action
    skip: int = 0
    until: Api = Api.PRODUCE  # DELAY: until a later request of this kind, of the same transactional id, is answered
    request: bytes | None = None  # the one that was hit, as it was sent
    answer: bytes | None = None  # DELAY: the broker's to the late request

    @property
    def hit(self) -> bool:
        return self.request is not None

    @property
    def late_error(self) -> int:
        """DELAY of EndTxn: the broker's error code, 0 if it acted on it."""
        assert self.answer is not None
        return _end_txn_error(self.answer)

    def ends_with(self, answered: bytes) -> bool:
        """Is it now that the late request must go?"""
        assert self.request is not None
        return _api(answered) == self.until and _transactional_id(answered) == _transactional_id(self.request)


@dataclass(frozen=True)
class TxnRequest:
    """A request that begins (ADD_PARTITIONS_TO_TXN) or ends (END_TXN) a transaction."""

    api: int
    transactional_id: str
    producer: int
    epoch: int


class Proxy:
    """Listens at `port`, which the broker advertises, and passes everything on to the broker's listener at `target`."""

    def __init__(self, port: int, target: int) -> None:
        self.bootstrap = f"127.0.0.1:{port}"
        self.trace: list[TxnRequest] = []  # as they came from clients, so that repetitions show
        self._port = port
        self._target = target
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._late: list[Rule] = []
        self._connections: set[_Connection] = set()
        self._listener: socket.socket | None = None

    def rule(self, api: Api, action: Action, skip: int = 0, until: Api = Api.PRODUCE) -> Rule:
        rule = Rule(api, action, skip, until)
        with self._lock:
            self._rules.append(rule)
        return rule

    def forget_rules(self) -> None:
        """Also those that were hit and whose late request waits."""
        with self._lock:
            self._rules.clear()
            self._late.clear()

    def __enter__(self) -> "Proxy":
        self._listener = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._listener is not None
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.cut()
        wait_until(lambda: not self._connections, 10, "the connections of the proxy have ended")

    # For the connections ---------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # closed
            try:
                broker = socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # the broker is away
                client.close()
                continue
            connection = _Connection(self, client, broker)
            with self._lock:
                self._connections.add(connection)
            connection.start()

    def _ended(self, connection: "_Connection") -> None:
        with self._lock:
            self._connections.discard(connection)

    def _rule_for(self, request: bytes) -> Rule | None:
        """The rule that this request hits, if any."""
        with self._lock:
            if _api(request) in (Api.ADD_PARTITIONS_TO_TXN, Api.END_TXN):
                self.trace.append(_txn_request(request))
            for rule in self._rules:
                if rule.api == _api(request):
                    if rule.skip > 0:
                        rule.skip -= 1
                        continue
                    self._rules.remove(rule)
                    rule.request = request
                    if rule.action == Action.DELAY:
                        self._late.append(rule)
                    return rule
        return None

    def _deliver_late(self, answered: bytes) -> None:
        """Called when the broker has answered a request: what waited for that is sent now, over a connection of its own."""
        with self._lock:
            due = [rule for rule in self._late if rule.ends_with(answered)]
            self._late = [rule for rule in self._late if rule not in due]
        for rule in due:
            assert rule.request is not None
            with socket.create_connection(("127.0.0.1", self._target)) as broker:
                answer = b""
                while not answer or (rule.api == Api.END_TXN and _end_txn_error(answer) == CONCURRENT_TRANSACTIONS):
                    broker.sendall(rule.request)
                    answer = _frame(broker)
                rule.answer = answer


class _Connection:
    def __init__(self, proxy: Proxy, client: socket.socket, broker: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._broker = broker
        self._asked: dict[int, tuple[bytes, Rule | None]] = {}  # requests and their rules by correlation id
        for end in (client, broker):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        for half in (self._requests, self._responses):
            threading.Thread(target=self._until_the_end, args=[half], daemon=True).start()

    def cut(self) -> None:
        for end in (self._client, self._broker):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended already

    def _until_the_end(self, half: Callable[[], Any]) -> None:
        try:
            half()
        except OSError:
            pass  # the other side has gone, as clients and brokers do in these tests
        finally:
            self.cut()
            self._proxy._ended(self)

    def _requests(self) -> None:
        while request := _frame(self._client):
            rule = self._proxy._rule_for(request)
            action = rule.action if rule else None
            if action in (Action.CUT_BEFORE, Action.DELAY):
                return
            if action != Action.DROP_REQUEST:
                self._asked[_correlation(request)] = (request, rule)
                self._broker.sendall(request)

    def _responses(self) -> None:
        while response := _frame(self._broker):
            request, rule = self._asked.pop(struct.unpack_from(">i", response, 4)[0])
            if rule and rule.action == Action.CUT_AFTER:
                return
            self._proxy._deliver_late(request)
            if not rule:
                self._client.sendall(response)


def _frame(end: socket.socket) -> bytes:
    """One message with its length before it; empty at the end of the stream."""
    head = _exactly(end, 4)
    return head + _exactly(end, struct.unpack(">i", head)[0]) if head else b""


def _exactly(end: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = end.recv(min(size - len(data), 1 << 20))
        if not part:
            return b""
        data += part
    return bytes(data)


# A request: length, kind, version, correlation id, client id. Then, for the versions of PRODUCE, ADD_PARTITIONS_TO_TXN and
# END_TXN that librdkafka speaks, the transactional id.


def _api(request: bytes) -> int:
    return int(struct.unpack_from(">h", request, 4)[0])


def _correlation(request: bytes) -> int:
    return int(struct.unpack_from(">i", request, 8)[0])


def _text(data: bytes, at: int) -> tuple[str, int]:
    """A string, which may be null, and where it ends."""
    size = max(struct.unpack_from(">h", data, at)[0], 0)
    return data[at + 2 : at + 2 + size].decode(), at + 2 + size


def _transactional_id(request: bytes) -> str:
    return _text(request, _text(request, 12)[1])[0]


def _txn_request(request: bytes) -> TxnRequest:
    transactional_id, at = _text(request, _text(request, 12)[1])
    return TxnRequest(_api(request), transactional_id, *struct.unpack_from(">qh", request, at))


def _end_txn_error(answer: bytes) -> int:
    """After length, correlation id and throttle time."""
    return int(struct.unpack_from(">h", answer, 12)[0])
