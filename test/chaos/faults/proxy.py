"""Requests of the transaction protocol are lost, cut or late, by the proxy between librdkafka and the broker."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness import Action, Api, Broker, Cluster, Proxy, Rule, wait_until
from helpers.faults import kill
from stage import SETTINGS, Round, Site

IN_TRANSACTION = (Api.ADD_PARTITIONS_TO_TXN, Api.PRODUCE, Api.END_TXN)
STATES = {Api.INIT_PRODUCER_ID: "-", Api.ADD_PARTITIONS_TO_TXN: "c", Api.PRODUCE: "t", Api.END_TXN: "t"}  # that a request proves
CUTS = (Action.CUT_BEFORE, Action.CUT_AFTER)
DROPS = (Action.DROP_REQUEST, Action.DROP_RESPONSE)


@dataclass(kw_only=True)
class ProxiedSite(Site):
    proxy: Proxy


@contextlib.contextmanager
def make_site() -> Iterator[ProxiedSite]:
    """Client processes repeat after two seconds what is not answered."""
    with Broker() as broker, broker.proxy() as proxy, Cluster(preload="migrator", settings=SETTINGS) as cluster:
        server = {"bootstrap.servers": proxy.bootstrap, "socket.timeout.ms": "2000"}
        yield ProxiedSite(broker, cluster, server, proxy=proxy)


def requests_cut(round_: Round) -> None:
    _break(round_, IN_TRANSACTION, CUTS, 5, 10)


def requests_dropped(round_: Round) -> None:
    _break(round_, IN_TRANSACTION, DROPS, 2, 4)


def initialisation_broken(round_: Round) -> None:
    """While a new client process opens its slot, in place of one that was killed."""
    for _ in round_.moments(2, 4):
        with _rule(round_, Api.INIT_PRODUCER_ID, round_.dice.choice(CUTS + DROPS)) as rule:
            kill(round_.load.clients())
            _wait_for_hit(round_, rule)


def requests_late(round_: Round) -> None:
    """They arrive in a later transaction, after they were repeated, or after their client process was killed."""
    for _ in round_.moments(2, 5):
        api = round_.dice.choice(IN_TRANSACTION)
        until = Api.PRODUCE if api == Api.END_TXN else Api.ADD_PARTITIONS_TO_TXN
        with _rule(round_, api, Action.DELAY, until) as rule:
            _wait_for_hit(round_, rule)
            if round_.dice.random() < 0.5:
                kill(round_.load.clients())
            wait_until(lambda: rule.answer or not round_.load.running(), 60, "the late request was delivered")


def late_commits(round_: Round) -> None:
    """The client process of the transaction that a late commit meets dies at once: whatever was committed by it is there twice."""
    for _ in round_.moments(2, 5):
        with _rule(round_, Api.END_TXN, Action.DELAY) as rule:
            _wait_for_hit(round_, rule)
            wait_until(lambda: rule.answer or not round_.load.running(), 60, "the late commit was delivered", interval=0.001)
            kill(round_.load.clients())
            if rule.answer and rule.late_error == 0:
                raise AssertionError("a late commit took effect")


def _break(round_: Round, apis: Sequence[Api], actions: Sequence[Action], least: int, most: int) -> None:
    for _ in round_.moments(least, most):
        with _rule(round_, round_.dice.choice(apis), round_.dice.choice(actions)) as rule:
            _wait_for_hit(round_, rule)


@contextlib.contextmanager
def _rule(round_: Round, api: Api, action: Action, until: Api = Api.PRODUCE) -> Iterator[Rule]:
    assert isinstance(round_.site, ProxiedSite)
    try:
        yield round_.site.proxy.rule(api, action, round_.dice.randint(0, 3) if api != Api.INIT_PRODUCER_ID else 0, until)
    finally:
        round_.site.proxy.forget_rules()  # the run may have ended before


def _wait_for_hit(round_: Round, rule: Rule) -> None:
    wait_until(lambda: rule.hit or not round_.load.running(), 60, f"{rule.api.name} is hit", interval=0.005)
    if rule.hit:
        round_.hits += STATES[rule.api]


FAULTS = (requests_cut, requests_dropped, initialisation_broken, requests_late, late_commits)
