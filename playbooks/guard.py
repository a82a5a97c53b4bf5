"""What keeps a playbook from beginning, and a run from writing. Pure.

A device under maintenance gets nothing, and none does while hands are off. A point belongs to the run that wrote it
until that ends: another one writes it only with a higher priority, and then the first has lost it. Runs of the same
playbook do not keep it from each other: that is what its mode is for.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from events.playbooks import RunStarted
from playbooks.area import Area, Memory
from playbooks.plan import Limit
from playbooks.recipe import Write
from playbooks.run import Link, Run, cause_of
from playbooks.turn import Book, Obstacle

LOOPS = 4
"""So often a playbook stands in its own chain, each time for the same cause, and is cut the next time; what undoes is
cut one turn sooner: then what protects stays."""
CUT = timedelta(minutes=10)


def obstacle(area: Area, memory: Memory, run: Run, book: Book, act: Write, now: datetime) -> Obstacle | None:
    """Why the run does not write the point now; None: it does."""
    if area.off:
        return Obstacle(area.off, passes=False)
    if why := area.locked.get(act.device):
        return Obstacle(f"locked out {why}", passes=False)
    if (holder := area.runs.get(area.holders.get(act.point, run.run))) is not None and holder.playbook != run.playbook:
        other = memory.books[holder.playbook, holder.version].playbook
        if other.priority >= book.playbook.priority:
            lost = act.point in run.lost
            who = f"{'taken' if lost else 'held'} by {other.playbook}, priority {other.priority}"
            return Obstacle(f"{act.point} is {who}", passes=not lost)
    if act.point in run.lost:
        return Obstacle(f"{act.point} was taken by a playbook of higher priority", passes=False)
    device = memory.devices.get(act.device)
    if device is not None and (full := _too_often(area.moves.get(act.device, ()), device.limit, now)):
        return Obstacle(f"too often: {act.device} got {full}", passes=True)
    return None


def refusal(area: Area, book: Book, now: datetime) -> str:
    """Why no run of the playbook begins; "": it may."""
    plan = book.playbook
    if area.off:
        return area.off
    if (loop := area.loops.get(plan.playbook)) is not None and now < loop.until:
        return f"it sets itself off: refused until {loop.until:%H:%M:%S}"
    if full := _too_often(area.starts.get(plan.playbook, ()), plan.limit, now):
        return f"too often: it began {full}"
    goes = len(area.doing.get(plan.playbook, ()))
    if plan.mode == "single" and goes:
        return "a run of it goes already"
    if plan.mode != "restart" and goes >= plan.most:
        return f"{goes} runs of it go or wait already"
    return ""


def loop(area: Area, book: Book, fact: RunStarted, now: datetime) -> tuple[str, ...]:
    """The chain, where the playbook sets itself off once too often; else ()."""
    links: tuple[Link, ...] = area.links(fact, now)
    times = links.count((fact.playbook, cause_of(fact.by, fact.incident)))
    most = LOOPS if book.playbook.opens else LOOPS - 1
    return (*(name for name, _ in links), fact.playbook) if times >= most else ()


def _too_often(times: tuple[datetime, ...], limit: Limit | None, now: datetime) -> str:
    if limit is None or not limit.per_s or len(times) < limit.count:
        return ""
    within = timedelta(seconds=limit.per_s)
    return f"{limit.count} within {limit.per_s:g} s" if now - times[-limit.count] < within else ""
