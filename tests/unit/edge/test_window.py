"""Go-back-N: what is under way, and when it is sent again."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.window import FIRST, MOST_PATIENCE_S, PATIENCE_S, Window


def connected(*, confirmed: int = 0, highest: int = 0) -> Window:
    window = Window(confirmed=confirmed, highest=highest)
    window.connected(0.0)
    return window


def send(window: Window, now: float = 0.0) -> list[tuple[int, bool]]:
    sent = []
    while window.room:
        sequence = window.sent + 1
        sent.append((sequence, window.take(sequence, 100, now)))
    return sent


def test_a_connection_begins_above_the_confirmed_number_with_a_small_window() -> None:
    window = connected(confirmed=7)
    assert [n for n, _ in send(window)] == list(range(8, 8 + FIRST))


def test_what_an_earlier_life_may_have_sent_counts_as_sent_again() -> None:
    window = connected(confirmed=2, highest=4)
    assert send(window)[:4] == [(3, True), (4, True), (5, False), (6, False)]


def test_each_confirmation_makes_room_for_more_than_it_confirmed() -> None:
    window = connected()
    first = len(send(window))
    window.confirm(first, 0.1)
    assert len(send(window)) == 4 * first


def test_without_confirmation_only_the_oldest_is_sent_again_and_ever_more_seldom() -> None:
    window = connected()
    send(window)
    now, moments = 0.0, []
    for _ in range(1200):
        now += 0.1
        if window.overdue(now):
            window.go_back(now)
            assert send(window, now) == [(1, True)]
            moments.append(now)
    gaps = [b - a for a, b in zip([0.0, *moments], moments, strict=False)]
    assert round(gaps[0], 1) == PATIENCE_S
    assert gaps == sorted(gaps)
    assert max(gaps) <= MOST_PATIENCE_S + 0.2
    assert len(moments) < 10


def test_a_plant_that_had_more_than_was_sent_again_is_not_sent_it_a_third_time() -> None:
    window = connected()
    send(window)
    window.go_back(2.0)
    send(window, 2.0)
    window.confirm(60, 2.1)
    assert send(window, 2.1)[0] == (61, True)


def test_an_old_confirmation_changes_nothing() -> None:
    window = connected(confirmed=10)
    before = send(window)
    assert not window.confirm(10, 1.0)
    assert not window.confirm(3, 1.0)
    assert (window.room, window.sent) == (0, before[-1][0])


def test_a_plant_that_speaks_again_is_not_kept_waiting() -> None:
    window = connected(confirmed=10)
    send(window)
    for now in (2.0, 6.0, 14.0):
        window.go_back(now)
        send(window, now)
    assert not window.overdue(16.0)
    assert not window.confirm(10, 16.0)
    assert window.overdue(16.0)
    window.go_back(16.0)
    send(window, 16.0)
    window.confirm(10, 16.1)  # its answer to what we sent again: no reason to hurry
    assert not window.overdue(16.1)


def test_a_number_that_stands_for_many_lost_ones_still_fits_the_smallest_window() -> None:
    window = connected()
    window.go_back(0.0)
    assert window.room == 1
    window.take(5000, 300, 0.0)
    window.confirm(5000, 0.1)
    assert window.room > 1


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.sampled_from(["send", "confirm", "back", "connect", "wait"]), max_size=200), st.randoms())
def test_every_record_is_sent_again_until_it_is_confirmed_and_in_order(actions: list[str], choose) -> None:
    window, now, taken = connected(), 0.0, 0
    for action in actions:
        now += 0.05
        if action == "send" and window.room:
            expected = window.sent + 1
            window.take(expected, 10, now)
            if choose.random() < 0.7 and expected == taken + 1:  # the plant takes only the next number
                taken = expected
        elif action == "confirm":
            window.confirm(taken, now)
        elif action == "back" and window.overdue(now + 60):
            window.go_back(now)
        elif action == "connect":
            window.connected(now)
        else:
            now += 1.0
        assert window.confirmed <= taken
        assert window.sent >= window.confirmed
        assert [n for n, _ in window.under_way] == list(range(window.sent - len(window.under_way) + 1, window.sent + 1))
    for _ in range(400):  # a plant that answers again gets everything
        now += MOST_PATIENCE_S
        if window.overdue(now):
            window.go_back(now)
        for sequence, _again in send(window, now):
            if sequence == taken + 1 and sequence <= 500:
                taken = sequence
        window.confirm(taken, now)
        if taken == 500:
            break
    assert taken == 500
