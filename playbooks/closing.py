"""What the end of an incident sets off: what was done for it is undone, and who else needs it keeps it. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from events.playbooks import RunsHandedOn, RunStarted
from playbooks import endings, past, walk
from playbooks.area import ACKNOWLEDGED
from playbooks.desk import STAGE, Desk, Here, sets_back, title
from playbooks.past import Known
from playbooks.run import LATE
from playbooks.turn import Book


def resolved(desk: Desk, here: Here, at: datetime, incident: UUID, opening: int, by: str, quieted: str = "") -> None:
    """Undo what was done for the incident, unless another one stands that needs it, or somebody only quieted its
    last alarm (`quieted`: "press_pressure was shelved"): who does not want to hear of it moves nothing by that.

    by: the person who acknowledged it, "" for nobody. What passes a person is no loop.
    """
    area = desk.area(here.area)
    known = area.about(incident, opening)
    if known.ended or opening < known.opening:
        return
    before = len(desk.out)
    _end_runs(desk, here, incident)
    heir: UUID | None = None
    for book in desk.memory.current.get(here.area, ()):
        if not sets_back(book, "resolved", known.answers_for) or book.playbook.playbook in known.past:
            continue
        fact = _started(book, incident, known, opening, by)
        if quieted and here.now - at <= LATE:
            desk.refuse(here, book, fact, f"{quieted}, nothing is set back for that")
        elif here.now - at <= LATE and (other := _needing(desk, here, book, incident)) is not None:
            heir = other
        else:
            desk.begin(here, at, book, fact)
    desk.release(here)
    if known.answers_for or len(desk.out) > before:
        _hand_on(desk, here, incident, heir, "stands" if heir else "resolved", known.answers_for, by)


def closed(desk: Desk, here: Here, at: datetime, incident: UUID) -> None:
    """A person has said what it was."""
    known = desk.area(here.area).about(incident)
    for book in desk.memory.current.get(here.area, ()):
        if sets_back(book, "closed", known.answers_for) and book.playbook.playbook not in known.past:
            desk.begin(here, at, book, _started(book, incident, known, known.opening))
    desk.release(here)


def moved(desk: Desk, here: Here, incident: UUID, to: UUID, why: str, opening: int) -> None:
    """`to` was made of the incident, or takes it in: what ran for the one ran for the other. Of a split that is said
    where nothing ran, too: told again, it must not hand on what ran since."""
    area = desk.area(here.area)
    known = area.known.get(incident, Known(ended=True))
    if to in area.known if why == "split" else known.ended:
        return
    playbooks = () if known.ended else tuple(dict.fromkeys((*known.past, *known.owes)))
    if not playbooks and here.area not in desk.memory.current:
        return  # no playbook will run here
    fact = RunsHandedOn(incident=incident, to=to, opening=opening, playbooks=playbooks, why=why)  # type: ignore[arg-type]
    desk.say(STAGE, here, fact)


def _started(book: Book, incident: UUID, known: Known, opening: int, by: str = "") -> RunStarted:
    plan, scope = book.playbook, {**known.about, ACKNOWLEDGED: by} if by else known.about
    return RunStarted(
        run=past.run_id(incident, plan.playbook, opening, None, again=False), playbook=plan.playbook,
        version=plan.version, incident=incident, title=title(book, known.title), opening=opening, scope=scope,
    )  # fmt: skip


def _end_runs(desk: Desk, here: Here, incident: UUID) -> None:
    """Those that have not begun, and those that are to end with it."""
    area = desk.area(here.area)
    for run in list(area.runs.values()):
        if past.answering(area.known, run.incident) != incident:
            continue
        plan, turn = desk.book(run).playbook, desk.turn(here, run)
        if run.waits and plan.opens:
            endings.drop(turn, "the incident was resolved before it began")
        elif plan.ends_with_incident and run.ending is None and not run.waits:
            endings.end(turn, "cancelled", "its incident is resolved")
            walk.advance(turn)


def _hand_on(
    desk: Desk, here: Here, incident: UUID, to: UUID | None, why: str, playbooks: tuple[str, ...], by: str
) -> None:
    """Let another incident answer for what was done."""
    area = desk.area(here.area)
    opening = area.known[to].opening if to is not None and to in area.known else 1
    fact = RunsHandedOn(incident=incident, to=to, opening=opening, playbooks=playbooks, why=why, by=by)  # type: ignore[arg-type]
    desk.say(STAGE, here, fact)


def _needing(desk: Desk, here: Here, book: Book, ended: UUID) -> UUID | None:
    """The newest incident that stands and for which points were moved that the playbook writes too."""
    moves = {b.playbook.playbook: b.writes for b in desk.memory.current.get(here.area, ())}
    for incident, known in past.standing(desk.area(here.area).known):
        if incident != ended and any(moves.get(ran, frozenset()) & book.writes for ran in known.answers_for):
            return incident
    return None
