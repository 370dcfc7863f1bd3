"""Requests of the transaction protocol that are lost, answered into the void or late, between librdkafka and the broker."""

from collections.abc import Callable, Iterator
from itertools import groupby

import pytest
from harness import Action, Api, Broker, Proxy, wait_until
from helpers.faults import Load, kill

INVALID_PRODUCER_EPOCH = 47  # how a broker tells a producer that another one has its transactional id
PRODUCER_FENCED = 90


@pytest.fixture
def proxy(broker: Broker) -> Iterator[Proxy]:
    with broker.proxy() as it:
        yield it


@pytest.fixture
def load(proxy: Proxy, make_load: Callable[..., Load]) -> Load:
    """Its client process repeats what is not answered within a second, and is replaced after five."""
    server = {"bootstrap.servers": proxy.bootstrap, "socket.timeout.ms": "1000"}
    it = make_load({"kafka_timeout": "5s"}, rows=4000, workers=1, server=server)
    it.hold_back()
    return it


def tainted(load: Load) -> int:
    return int(load.database.value("select coalesce(sum(tainted), 0) from migrator.slot"))


@pytest.mark.parametrize("action", [Action.DROP_REQUEST, Action.DROP_RESPONSE, Action.CUT_BEFORE, Action.CUT_AFTER])
def test_each_request(load: Load, proxy: Proxy, action: Action) -> None:
    """One of each kind, one after the other, in one run."""
    first = proxy.rule(Api.INIT_PRODUCER_ID, action)
    migration = load.company.start_run()
    for api in (Api.ADD_PARTITIONS_TO_TXN, Api.PRODUCE, Api.END_TXN):
        load.wait_for_chunks(1, ahead=0)
        rule = proxy.rule(api, action)
        load.allow(1)
        wait_until(lambda: rule.hit, 30, f"{api.name} is hit")
    assert first.hit
    load.complete(migration)


@pytest.mark.parametrize("action", [Action.DROP_RESPONSE, Action.CUT_AFTER])
def test_repeated_commit_replaces_the_producer(load: Load, proxy: Proxy, action: Action) -> None:
    """The repetition is seen on the wire and by the taint rule, while who calls librdkafka is told of a success."""
    migration = load.company.start_run()
    load.wait_for_chunks(1, ahead=0)
    assert tainted(load) == 0
    rule = proxy.rule(Api.END_TXN, action)
    load.allow(1)
    wait_until(lambda: rule.hit, 30, "a commit is hit")
    load.complete(migration)
    assert tainted(load) >= 1
    # An end that follows an end is a repetition. The next transaction belongs to a new producer, whose epoch is greater.
    ends = [[*group] for api, group in groupby(proxy.trace, key=lambda request: request.api) if api == Api.END_TXN]
    repeated = [i for i, group in enumerate(ends) if len(group) > 1]
    assert repeated
    for i in repeated:
        assert len(set(ends[i])) == 1
        assert i + 1 == len(ends) or ends[i + 1][0].epoch > ends[i][0].epoch


def test_late_commit_hits_no_other_transaction(load: Load, proxy: Proxy) -> None:
    """The commit of one transaction reaches the broker again in the middle of the next, whose client process then dies.

    If it took effect, a part of that next transaction would be committed, and would be there twice in the end.
    """
    migration = load.company.start_run()
    late = []
    for _ in range(3):
        load.wait_for_chunks(1, ahead=0)
        late.append(proxy.rule(Api.END_TXN, Action.DELAY))
        own_end = proxy.rule(Api.END_TXN, Action.DROP_REQUEST, skip=1)  # 1: the repetition of the delayed one
        load.allow(2)
        wait_until(lambda: own_end.hit and late[-1].answer, 30, "the next transaction met the late commit")
        kill(load.clients())
    load.complete(migration)
    assert tainted(load) >= len(late)
    assert {rule.late_error for rule in late} <= {INVALID_PRODUCER_EPOCH, PRODUCER_FENCED}
