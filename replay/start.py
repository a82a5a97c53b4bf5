"""Where a replay begins: the folds of one partition as they were, at or before a time.

Each stage's newest checkpoint will do if the one of the stage before says no more than this one has heard: what lies
between them would be missing. From the log's first day on no checkpoint is needed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from bus.fold import Fold, Snapshot, decode_snapshot
from bus.stage import Spec
from eventlog.inboxes import Inboxes
from eventlog.log import Key, Position


class NoStartError(Exception):
    """The log does not say what the brains were at or before that time: choose a later one."""

    def __init__(self, key: Key, at: datetime) -> None:
        super().__init__(
            f"the log does not hold all that {key[0]}/{key[1]} was given from a checkpoint before {at.isoformat()} on"
        )
        self.key, self.at = key, at


def begin(
    inboxes: Inboxes, specs: dict[str, Spec], partition: int, at: datetime, positions: Mapping[Key, Position]
) -> dict[str, Fold]:
    """The folds by inbox. specs: by inbox, in the order of the way.

    Raises:
        NoStartError: there is none.
    """
    folds: dict[str, Fold] = {}
    heard: int | None = None
    for inbox in reversed(specs):  # the last stage first: it decides how far the one before may be
        key = (inbox, partition)
        whole_since = positions.get(key, Position()).whole_since
        for fold in _candidates(inboxes, specs[inbox], key, at, whole_since):
            if heard is None or fold.last <= heard:
                break
        else:
            raise NoStartError(key, at)
        folds[inbox], heard = fold, fold.upstream
    return {inbox: folds[inbox] for inbox in specs}


def _candidates(inboxes: Inboxes, spec: Spec, key: Key, at: datetime, whole_since: int) -> Iterator[Fold]:
    """From the newest checkpoint back to the beginning."""
    for checkpoint in inboxes.kept(key, at):
        if checkpoint.position < whole_since:
            return
        fold = _restored(spec, key[1], decode_snapshot(checkpoint.snapshot))
        if fold is not None:
            yield fold
    if whole_since == 0:
        yield Fold(spec.name, key[1], spec.brain(key[1]))


def _restored(spec: Spec, partition: int, snapshot: Snapshot) -> Fold | None:
    """None: of older code, which this one cannot read."""
    fold = Fold(spec.name, partition, spec.brain(partition))
    try:
        fold.restore(snapshot)
    except (msgspec.DecodeError, zlib.error):
        return None
    return fold
