"""A story: the plant's own brains over a few lines of readings and requests, without any service and without a clock.

The three stages are chained as in the plant, each behind the `Fold` that it runs in there: the same inputs make the
same decisions with the same ids. Time is what the lines say. Between two of them there is a tick at each whole second
that matters; after the last one time stands still.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from uuid import UUID

import numpy as np

from andon.publish import FOLDERS, compile_folder, with_last_good
from andon.story_asking import Seen, understand
from andon.story_inputs import Asked, Input, Moment, Reading, Reply, StoryError, read
from andon.story_lines import ALARMS, FILES, INCIDENTS, Teller
from andon.story_stages import AUTHOR, Stages
from config import duration
from config.yamlfile import ConfigError
from desk.words import WordsError
from devices.plant import Plant, load_plant
from events import topics
from events.devices import CommandFailed, CommandOutcome, CommandRefused, CommandSucceeded
from events.envelope import Event, Reported, event
from events.playbooks import CommandIssued
from events.readings import Frame
from events.requests import Request
from events.types import EPOCH, to_micros
from incidents.definition import unpack

SECOND, RESOLUTION = timedelta(seconds=1), timedelta(microseconds=1)


class Story:
    """One folder being told.

    Attributes:
        home: an empty folder for what it needs on the way. now: the newest tick.
        every_second: give the ticks too that change nothing, as the plant does: slower, the same story.
        warnings: files of the plant that are not in force as they are. refused: lines that could not be used.
    """

    def __init__(self, folder: Path, home: Path, every_second: bool = False) -> None:
        self._folder, self._home, self._every_second = folder, home, every_second
        self._asked: dict[UUID, tuple[str, str]] = {}
        self.told = Teller(self._asked)
        self.stages = Stages(self.told)
        self.warnings: list[ConfigError] = []
        self.refused: list[StoryError] = []
        self.now: datetime = EPOCH
        self._number, self._order = count(1), count()
        self._queue: list[tuple[datetime, int, int, Input | Request | Reported]] = []

    def tell(self) -> None:
        """From the first line to the last.

        Raises:
            StoryError, ConfigError: it cannot be told.
        """
        self._plant = load_plant(self._folder)[0]
        inputs = read(self._folder, self._plant)
        self._devices = Devices(inputs.replies)
        for line in inputs.lines:
            self._expect(line.at if isinstance(line, Asked) else line.arrives, line)
        self._begin()
        for error in inputs.refused:
            self._refuse(error, self.now)
        while self._queue:
            if not self._pass_time(self._queue[0][0]):
                self._take(self._queue[0][0])
            self._answer()
        self.stages.check()

    def _begin(self) -> None:
        for name in ("plant.yaml", *FOLDERS):
            source = self._folder / name
            if source.is_dir():
                shutil.copytree(source, self._files / name)
            elif source.exists():
                self._files.mkdir(exist_ok=True)
                shutil.copyfile(source, self._files / name)
        self.now = self._queue[0][0].replace(microsecond=0)
        self._configure(self.now)
        if not self._plant.points:
            why = self.warnings[0] if self.warnings else "none"
            raise StoryError("points/*.yaml", "", f"none can be used, so no reading belongs to anything: {why}")
        self.stages.tick(self.now)

    @property
    def _files(self) -> Path:
        return self._home / "files"

    def _configure(self, at: datetime) -> None:
        """The plant's files as they are now are in force; of one that cannot be used, its last good text."""
        merged, errors = with_last_good(self._files, self._home)
        compiled = compile_folder(merged)
        self.warnings += errors
        for error in errors:
            self.told.say(at, INCIDENTS, "file.refused", place=f"{error.file}:{error.line}:{error.column}",
                          reason=error.reason)  # fmt: skip
        self.stages.configure(compiled.definitions, at)
        body = compiled.definitions[topics.CONDITIONS].pack()
        alarms = {name: alarm.area for name, alarm in unpack(body).alarms.items()}
        self._seen = Seen(self._plant, alarms, self.told)

    def _refuse(self, line: StoryError, at: datetime) -> None:
        self.refused.append(line)
        self.told.say(at, INCIDENTS, "line.refused", place=line.place, field=line.field, reason=line.reason)

    def _expect(self, at: datetime, what: Input | Request | Reported) -> None:
        """It comes then; at the same moment readings come first, then replies and requests, then the rest."""
        rank = {Reading: 0, Reported: 1, Asked: 2, Request: 2, Moment: 3}[type(what)]
        heappush(self._queue, (at, rank, next(self._order), what))

    def _pass_time(self, until: datetime) -> bool:
        """The next tick of a whole second up to `until`, if there is one: that at which something is due, else the
        last one; the others would only tell the time."""
        last = until.replace(microsecond=0)
        if self.now >= last:
            return False
        due = self.now if self._every_second else self.stages.due or last
        self._tick(max(self.now + SECOND, min(_up(due), last)).replace(microsecond=0))
        return True

    def _tick(self, at: datetime) -> None:
        self.now = at
        self.stages.tick(at)

    def _take(self, at: datetime) -> None:
        """What is first in the queue; all readings of that moment at once."""
        match heappop(self._queue)[3]:
            case Reading() as reading:
                readings = [reading]
                while self._queue and self._queue[0][:2] == (at, 0):
                    readings.append(heappop(self._queue)[3])  # type: ignore[arg-type]
                for frame in frames(readings, self._plant, self._number):
                    self.stages.give(topics.READINGS, frame.pack())
            case Reported() as reported:
                self._report(reported)
            case Asked() as asked:
                self._ask(asked)
            case Request() as request:
                self.stages.give(topics.CONDITIONS, request)
            case Moment() as moment:
                self._happen(moment)

    def _ask(self, asked: Asked) -> None:
        """On its way to the brain; or refused at the desk, where it means nothing at that moment."""
        try:
            request = understand(asked, self._seen)
        except StoryError as error:
            self._refuse(error, asked.at)
            return
        except WordsError as error:
            self.told.say(asked.at, INCIDENTS, "request.refused", asked=asked.type, request=asked.place, by=asked.by,
                          reason=f"{error.field}: {error.reason}")  # fmt: skip
            return
        self._asked[request.id] = asked.place, asked.type
        self._expect(asked.arrives, request)

    def _happen(self, moment: Moment) -> None:
        if moment.restart is None and not moment.configure and moment.arrives > self.now:
            self._tick(moment.arrives)
        if moment.restart is not None:
            self.stages.check()
            self.stages.restart(from_log=moment.restart == "log")
            self.told.say(moment.arrives, ALARMS, "restarted")
        if moment.configure:
            folder = self._folder / moment.configure
            if not folder.is_dir():
                missing = StoryError(moment.place, "configure", f"there is no folder {moment.configure}")
                self._refuse(missing, moment.arrives)
                return
            shutil.copytree(folder, self._files, dirs_exist_ok=True)
            self.told.say(moment.arrives, ALARMS, "configured", folder=moment.configure)
            self._configure(moment.arrives)

    def _answer(self) -> None:
        """What the devices make of the commands, and of those that follow."""
        while self.stages.commands:
            command = self.stages.commands.pop(0)
            reply = self._devices.answer(command)
            if reply is not None:
                reported = Reported(AUTHOR, next(self._number), (reply,))
                if reply.at > command.at:
                    self._expect(reply.at, reported)
                else:
                    self._report(reported)

    def _report(self, reported: Reported) -> None:
        for e in reported.events:
            self.told.hear(e, of_incidents=False)
        self.stages.give(topics.INCIDENTS, reported)


class Devices:
    """They do at once what they are told, except as `replies` say."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self._replies = [(reply, count(1)) for reply in replies]

    def answer(self, command: Event) -> Event | None:
        """The outcome, when it comes; None: there is none."""
        asked = command.fact
        assert isinstance(asked, CommandIssued)
        reply = self._of(asked.point)
        at = command.at + duration.span(reply.after)
        id_, device, point = asked.command, asked.device, asked.point
        fact: CommandOutcome
        match reply.outcome:
            case "none":
                return None
            case "succeeded":
                fact = CommandSucceeded(command=id_, device=device, point=point, value=asked.value,
                                        read_back=asked.value, written_at=at, confirmed_at=at)  # fmt: skip
            case "failed":
                fact = CommandFailed(command=id_, device=device, point=point, reason=reply.reason or "no answer")
            case "refused":
                fact = CommandRefused(command=id_, device=device, point=point, reason=reply.reason or "refused")
        return event(fact, at=at, area=command.area, cause=id_, author=f"edge {asked.edge}", index=0)

    def _of(self, point: str) -> Reply:
        for reply, used in self._replies:
            if reply.point == point and (reply.times is None or next(used) <= reply.times):
                return reply
        return Reply(point=point)


def frames(readings: Sequence[Reading], plant: Plant, number: Iterator[int]) -> Iterator[Frame]:
    """The readings that arrive together: those of one device and one time are one frame, one row of values."""
    rows: list[dict[str, Reading]] = []
    open_: dict[tuple[str, datetime], dict[str, Reading]] = {}
    for reading in sorted(readings, key=lambda r: r.at):
        key = plant.points[reading.point][0].device, reading.at
        row = open_.get(key)
        if row is None or reading.point in row:
            row = open_[key] = {}
            rows.append(row)
        row[reading.point] = reading
    for row in rows:
        first = next(iter(row.values()))
        device = plant.points[first.point][0]
        yield Frame(
            area=device.area, device=device.device, source=AUTHOR, sequence=next(number), points=tuple(row),
            times=np.array([to_micros(first.at)], np.int64), values=np.array([[r.value for r in row.values()]]),
            qualities=np.array([[r.quality for r in row.values()]], np.uint8),
        )  # fmt: skip


def _up(at: datetime) -> datetime:
    """The whole second at or after it."""
    return (at + SECOND - RESOLUTION).replace(microsecond=0)


def tell(folder: Path, out: Path | None = None) -> Story:
    """Tell the story in `folder`; with `out`, write its three files there, all or none.

    Raises:
        StoryError, ConfigError: it cannot be told.
    """
    with tempfile.TemporaryDirectory() as home:
        story = Story(folder, Path(home))
        story.tell()
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (out / f".{name}").write_text(story.told.text(name), "utf-8")
        for name in FILES:
            (out / f".{name}").replace(out / name)
    return story
