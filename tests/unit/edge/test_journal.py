"""The journal keeps order, leaves no hole, and never loses in silence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ForeignConfirmationError, JournalClosedError, JournalInUseError, RecordTooLargeError
from edge.journal import Journal
from events import codec
from events.devices import RecordsLost
from events.envelope import Reported


def record(source: str, sequence: int) -> bytes:
    return codec.encode(Reported(source, sequence, ()))


def padded(size: int):
    return lambda source, sequence: record(source, sequence).ljust(size, b"\0")


def sequences(journal: Journal) -> list[int]:
    return [e.sequence for e in journal.unconfirmed(0, 1_000_000)]


def losses(journal: Journal) -> list[RecordsLost]:
    told = [codec.decode_record(e.body) for e in journal.unconfirmed(0, 100_000) if e.kind == "loss"]
    return [e.fact for r in told if isinstance(r, Reported) for e in r.events if isinstance(e.fact, RecordsLost)]


def covered(journal: Journal) -> list[tuple[int, int]]:
    return [(a, b) for a, b in journal.query("SELECT first, sequence FROM records ORDER BY sequence")]


def without_holes(journal: Journal) -> bool:
    expected = None
    for first, sequence in covered(journal):
        if expected is not None and first != expected:
            return False
        expected = sequence + 1
    return expected is None or expected == journal.last + 1


def copied(path: Path) -> Path:
    """The journal's files as they are now."""
    copy = path.with_name("copy.sqlite3")
    for suffix in ("", "-wal"):
        copy.with_name(copy.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
    return copy


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def test_a_record_contains_its_own_number_and_its_source(path: Path) -> None:
    journal = Journal(path, "edge-1")
    assert [journal.append("events", record).result() for _ in range(3)] == [1, 2, 3]
    held = [codec.decode_record(e.body) for e in journal.unconfirmed(0, 10)]
    assert held == [Reported(journal.source, n, ()) for n in (1, 2, 3)]
    journal.close()


def test_the_id_of_a_journal_stays_and_another_file_has_another(path: Path, tmp_path: Path) -> None:
    first = Journal(path, "edge-1")
    first.close()
    again, other = Journal(path, "edge-1"), Journal(tmp_path / "other.sqlite3", "edge-1")
    assert again.source == first.source != other.source
    assert again.source.startswith("edge-1:")
    again.close()
    other.close()


def test_numbers_go_on_after_everything_was_confirmed_and_the_journal_opened_again(path: Path) -> None:
    journal = Journal(path, "edge-1")
    for _ in range(5):
        journal.append("events", record)
    journal.confirm(5).result()
    assert sequences(journal) == []
    journal.close()
    journal = Journal(path, "edge-1")
    assert (journal.append("events", record).result(), journal.confirmed) == (6, 5)
    journal.close()


def test_a_confirmation_of_what_was_never_written_is_refused(path: Path) -> None:
    journal = Journal(path, "edge-1")
    journal.append("events", record)
    with pytest.raises(ForeignConfirmationError):
        journal.confirm(2).result()
    assert sequences(journal) == [1]
    journal.close()


def test_a_record_that_is_too_long_uses_up_no_number_and_harms_no_neighbour(path: Path) -> None:
    journal = Journal(path, "edge-1")
    waiting = [journal.append("frame", padded(size)) for size in (50, 1_000_001, 50)]
    assert waiting[0].result() == 1
    with pytest.raises(RecordTooLargeError):
        waiting[1].result()
    assert waiting[2].result() == 2
    journal.close()


def test_an_operation_that_fails_leaves_nothing_behind(path: Path) -> None:
    journal = Journal(path, "edge-1")

    def fails(transaction):
        transaction.append("events", record)
        raise ValueError("after the record")

    with pytest.raises(ValueError, match="after the record"):
        journal.write(fails).result()
    assert journal.append("events", record).result() == 1
    journal.close()


def test_a_closed_journal_says_so(path: Path) -> None:
    journal = Journal(path, "edge-1")
    journal.close()
    with pytest.raises(JournalClosedError):
        journal.append("events", record)


def test_at_the_limit_the_oldest_frames_become_a_loss_and_facts_stay(path: Path) -> None:
    journal = Journal(path, "edge-1", limit=100_000)
    for n in range(1000):
        journal.append("events" if n % 100 == 50 else "frame", padded(1000)).result()
    assert journal.fill <= 1
    assert without_holes(journal)
    kept = [e.sequence for e in journal.unconfirmed(0, 2000) if e.kind == "events"]
    assert kept == list(range(51, 1001, 100))
    told = losses(journal)
    assert told[0].first == 1
    for loss in told:
        assert not {*range(loss.first, loss.last + 1)} & {e.sequence for e in journal.unconfirmed(0, 2000)}
    lost = sum(loss.last - loss.first + 2 for loss in told)  # and the record whose number the report has
    assert lost == journal.lost == 1000 - sum(e.kind != "loss" for e in journal.unconfirmed(0, 2000))
    journal.close()


def test_facts_go_only_when_there_is_nothing_else_and_that_is_told_too(path: Path) -> None:
    journal = Journal(path, "edge-1", limit=20_000)
    for _ in range(100):
        journal.append("events", padded(1000)).result()
    assert without_holes(journal)
    assert journal.fill <= 1
    assert (losses(journal)[0].first, journal.last) == (1, 100)
    journal.close()


def test_after_a_power_failure_no_number_is_given_twice(path: Path) -> None:
    journal = Journal(path, "edge-1", boot="first start")
    copy = copied(path)  # what comes after this never reaches the disk
    for _ in range(10):
        journal.append("events", record).result()
    journal.close()
    after = Journal(copy, "edge-1", boot="second start")
    (told,) = losses(after)
    assert told.first == 1
    assert told.last >= 10
    assert after.append("events", record).result() == told.last + 2
    after.close()


def test_a_kill_on_the_same_start_of_the_machine_skips_nothing(path: Path) -> None:
    journal = Journal(path, "edge-1", boot="first start")
    journal.append("events", record).result()
    copy = copied(path)
    journal.close()
    again = Journal(copy, "edge-1", boot="first start")
    assert (again.append("events", record).result(), losses(again)) == (2, [])
    again.close()


def test_two_processes_cannot_have_one_journal(path: Path) -> None:
    journal = Journal(path, "edge-1")
    with pytest.raises(JournalInUseError):
        Journal(path, "edge-1")
    journal.close()
    Journal(path, "edge-1").close()


WRITER = """
import sys
from pathlib import Path
from edge.journal import Journal
from events import codec
from events.envelope import Reported
journal = Journal(Path(sys.argv[1]), "edge-1")
build = lambda source, n: codec.encode(Reported(source, n, ())).ljust(300, b"\\0")
waiting = []
for n in range(10**9):
    waiting.append(journal.append("frame", build))
    if len(waiting) == 20:
        print(max(w.result() for w in waiting), flush=True)
        waiting.clear()
    if n % 50 == 49:
        journal.confirm(max(0, journal.last - 100))
"""


def test_kill_9_at_any_moment_loses_nothing_that_was_numbered(path: Path) -> None:
    source = None
    for lines in (1, 7, 30, 100, 250):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd(),
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )
        assert writer.stdout
        numbered = 0
        for _ in range(lines):
            numbered = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        numbered = max([numbered, *map(int, writer.stdout.read().split("\n")[:-1])])
        writer.wait()
        journal = Journal(path, "edge-1")
        assert journal.last >= numbered
        assert without_holes(journal)
        assert sequences(journal) == list(range(journal.confirmed + 1, journal.last + 1))
        assert source in (None, journal.source)
        source = journal.source
        journal.close()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.sampled_from(["frame", "events"]), st.integers(30, 4000)),
        st.tuples(st.just("confirm"), st.floats(0, 1), st.none()),
        st.tuples(st.just("reopen"), st.none(), st.none()),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(steps=steps, limit=st.sampled_from([6_000, 30_000, 10_000_000]))
def test_any_interleaving_keeps_order_and_leaves_no_hole(tmp_path_factory, steps, limit) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.sqlite3"
    journal, given_out = Journal(path, "edge-1", limit=limit), 0
    for action, a, b in steps:
        if action == "append":
            given_out += 1
            assert journal.append(a, padded(b)).result() == given_out
        elif action == "confirm":
            before, up_to = journal.confirmed, round(a * journal.last)
            journal.confirm(up_to).result()
            assert journal.confirmed == max(before, up_to)
        else:
            journal.close()
            journal = Journal(path, "edge-1", limit=limit)
        assert without_holes(journal)
        rows = covered(journal)
        assert not rows or rows[0][0] <= journal.confirmed + 1
        assert all(sequence > journal.confirmed for _, sequence in rows)
        assert (not rows) == (journal.confirmed == journal.last)
    journal.close()
