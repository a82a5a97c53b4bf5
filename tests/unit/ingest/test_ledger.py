"""The ledger: each number once, no hole unseen."""

from __future__ import annotations

from events.devices import GapClosed, GapOpened, RecordsLost
from ingest.ledger import PATIENCE_S, Duplicate, Gap, Ledger, Taken, encode

S = "edge-1:j"


def loss(first: int, last: int) -> RecordsLost:
    return RecordsLost(source=S, first=first, last=last, reason="full")


def known(up_to: int) -> Ledger:
    ledger = Ledger()
    for n in range(1, up_to + 1):
        assert ledger.take(S, n, 0.0) == Taken()
    return ledger


def test_the_next_number_is_taken_and_a_lower_one_is_known() -> None:
    ledger = known(3)
    assert ledger.take(S, 3, 0.0) == Duplicate()
    assert ledger.take(S, 1, 0.0) == Duplicate()
    assert ledger.take(S, 4, 0.0) == Taken()


def test_a_gap_is_told_once_and_closes_with_its_last_number() -> None:
    ledger = known(2)
    assert ledger.take(S, 5, 0.0) == Gap((GapOpened(source=S, first=3, last=4),))
    assert ledger.take(S, 6, 0.0) == Gap()
    assert ledger.take(S, 3, 0.0) == Taken()
    assert ledger.take(S, 4, 0.0) == Taken((GapClosed(source=S, first=3, last=4),))
    assert ledger.take(S, 5, 0.0) == Taken()


def test_a_loss_that_is_admitted_leads_over_the_gap() -> None:
    ledger = known(2)
    assert ledger.take(S, 9, 0.0, [loss(3, 8)]) == Taken()
    assert ledger.take(S, 10, 0.0) == Taken()


def test_a_loss_that_began_before_the_gap_ends_the_gap_by_its_own_name() -> None:
    ledger = known(4)
    ledger.take(S, 7, 0.0)
    assert ledger.take(S, 7, 0.0, [loss(2, 6)]) == Taken((RecordsLost(source=S, first=5, last=6, reason="full"),))
    assert ledger.accounts[S].missing == (0, 0)


def test_a_loss_elsewhere_does_not_lead_over_a_gap() -> None:
    ledger = known(2)
    assert isinstance(ledger.take(S, 9, 0.0, [loss(5, 8)]), Gap)
    assert ledger.accounts[S].up_to == 2


def test_two_sources_do_not_know_each_other() -> None:
    ledger = known(5)
    assert ledger.take("edge-1:other", 1, 0.0) == Taken()
    assert ledger.take(S, 6, 0.0) == Taken()


def test_an_unknown_source_begins_where_its_edge_goes_back_to_not_where_it_was_first_heard() -> None:
    ledger = Ledger()
    assert ledger.take(S, 57, 0.0) == Gap()
    assert ledger.take(S, 40, 2.0) == Gap()
    assert ledger.take(S, 58, PATIENCE_S) == Gap()
    assert ledger.take(S, 40, PATIENCE_S) == Taken()
    assert ledger.take(S, 41, PATIENCE_S) == Taken()


def test_an_unknown_source_may_begin_with_a_loss_from_one() -> None:
    assert Ledger().take(S, 6, 0.0, [loss(1, 5)]) == Taken()


def test_an_account_comes_back_with_its_open_gap() -> None:
    ledger, again = known(2), Ledger()
    ledger.take(S, 4, 0.0)
    again.load(S, encode(ledger.accounts[S]))
    assert again.take(S, 3, 0.0) == Taken((GapClosed(source=S, first=3, last=3),))
