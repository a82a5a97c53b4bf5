"""Which decisions count outside a stage, and where reading goes on."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bus.following import Follower, Place, begin, committed
from events.envelope import Decision


def test_a_decision_counts_once_and_only_behind_the_one_before() -> None:
    follower = Follower()
    assert follower.counts(Decision(4, -1, -1, ()))
    assert not follower.counts(Decision(4, -1, -1, ())), "said again by a replay"
    assert not follower.counts(Decision(9, 5, -1, ())), "of a zombie"
    assert follower.counts(Decision(9, 4, -1, ()))
    assert follower.last == 9


def test_where_the_beginning_is_gone_the_first_decision_is_believed() -> None:
    follower = Follower(40, None)
    assert follower.counts(Decision(90, 77, -1, ()))
    assert not follower.counts(Decision(95, 80, -1, ()))


@pytest.mark.parametrize(
    ("known", "beginning", "end", "expected"),
    [
        (None, 0, 100, (0, -1)),
        (None, 40, 100, (40, None)),
        (Place(70, 1234), 0, 100, (70, 1234)),
        (Place(70, -1), 0, 100, (70, -1)),
        (Place(70, None), 0, 100, (70, None)),
        (Place(0, None), 0, 100, (0, -1)),
        (Place(10, 1234), 40, 100, (40, None)),
        (Place(70, 1234), 0, 5, (0, -1)),
    ],
    ids=["new", "new but the beginning is gone", "known", "no decision yet", "last not known", "nothing read",
         "the rest of it is gone", "the topic was made anew"],
)  # fmt: skip
def test_reading_goes_on_behind_what_is_known(
    known: Place | None, beginning: int, end: int, expected: tuple[int, int | None]
) -> None:
    assert begin(known, beginning, end).place == expected


@dataclass
class Committed:
    """What Kafka answers when asked for a committed position."""

    offset: int
    metadata: str

    def committed(self, partition: object, *, metadata: bool) -> Committed:
        return self


@pytest.mark.parametrize("place", [Place(70, -1), Place(70, 0), Place(70, 1234), Place(70, None)])
def test_what_is_committed_is_read_back(place: Place) -> None:
    kept = place.committed()
    assert committed(Committed(kept.offset, kept.metadata), None) == place


def test_what_others_wrote_beside_an_offset_is_no_cause() -> None:
    assert committed(Committed(70, "last=x"), None) == Place(70, None)
    assert committed(Committed(-1, ""), None) is None, "nothing was ever committed"
