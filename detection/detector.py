"""One rule on one signal, one reading at a time: the SPECIFICATION of what every bank does by columns.

                 met                     on-delay over                clear
    normal ------------> pending ---------------------> standing ------------> clearing --off-delay over--> normal
           <------------                       (raised) <------------
             not met                                     not clear

`met`: the value is within the band in which the rule alarms. `clear`: it is outside by more than the deadband. Between
the two nothing changes, except that a pending alarm must be met. The rules of time:

- the on-delay counts from the first sample that met (`began`); the alarm is raised by the first sample that still
  meets, or by the first tick with no newer sample to the contrary, when the delay is over. A contrary sample that comes
  first wins, whatever its time.
- a sample that is not GOOD neither raises nor clears: it keeps what is (there are no_data rules for silence).
- a sample not newer than the last one of its signal is ignored: it came late or came twice.
- `late` samples are history when they arrive: what they raise or clear is marked. A standing that was raised late
  `stands` at the first live sample that does not clear it. A tick says a late one at the time it was due.
- nothing is ever raised twice without a clear between.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from events.readings import Quality

NORMAL, PENDING, STANDING, CLEARING = range(4)
What = Literal["raised", "cleared", "stands"]


class Band(Struct, frozen=True):
    """Where a rule alarms: `low <= value <= high` [unit of the signal].

    Attributes: deadband: how far outside the band the value must be to clear [unit, >= 0]; on_delay, off_delay [us].
    """

    low: float = float("-inf")
    high: float = float("inf")
    deadband: float = 0.0
    on_delay: int = 0
    off_delay: int = 0

    def met(self, value: float) -> bool:
        return self.low <= value <= self.high

    def clear(self, value: float) -> bool:
        return not self.low - self.deadband <= value <= self.high + self.deadband


class Change(Struct, frozen=True):
    """What a step said. Attributes: at: [us]; began: when the condition began, with the rule its identity [us]."""

    what: What
    at: int
    began: int
    value: float
    late: bool


class Detector:
    """State of one rule on one signal.

    Attributes:
        phase: NORMAL, PENDING, STANDING or CLEARING.
        began: time of the sample that first met [us]; since: that was first clear [us].
        late: whether the standing was raised late; last_late, value: of the last sample that counted.
    """

    def __init__(self, band: Band) -> None:
        self.band = band
        self.phase = NORMAL
        self.began = self.since = 0
        self.newest = -(2**62)
        self.late = self.last_late = False
        self.value = 0.0

    def sample(self, at: int, value: float, quality: int, late: bool = False) -> list[Change]:
        """One reading, at [us]."""
        if quality == Quality.ABSENT or at <= self.newest:
            return []
        self.newest = at
        if quality != Quality.GOOD:
            return []
        met, clear = self.band.met(value), self.band.clear(value)
        self.value, self.last_late = value, late
        if self.phase == NORMAL and met:
            self.phase, self.began = PENDING, at
        elif self.phase == PENDING and not met:
            self.phase = NORMAL
        elif self.phase == STANDING and clear:
            self.phase, self.since = CLEARING, at
        elif self.phase == CLEARING and not clear:
            self.phase = STANDING
        if self.phase == PENDING and at - self.began >= self.band.on_delay:
            return [self._raise(at)]
        if self.phase == CLEARING and at - self.since >= self.band.off_delay:
            return [self._clear(at)]
        if self.phase == STANDING and self.late and not late:
            self.late = False
            return [Change("stands", at, self.began, value, False)]
        return []

    def tick(self, now: int) -> list[Change]:
        """Time has come to `now` [us]."""
        if self.phase == PENDING and now - self.began >= self.band.on_delay:
            return [self._raise(self.began + self.band.on_delay if self.last_late else now)]
        if self.phase == CLEARING and now - self.since >= self.band.off_delay:
            return [self._clear(self.since + self.band.off_delay if self.last_late else now)]
        return []

    def _raise(self, at: int) -> Change:
        self.phase, self.late = STANDING, self.last_late
        return Change("raised", at, self.began, self.value, self.late)

    def _clear(self, at: int) -> Change:
        self.phase = NORMAL
        return Change("cleared", at, self.began, self.value, self.last_late)
