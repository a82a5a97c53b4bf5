"""Current-state tables, folded from facts. Pure: a line of the log → what it changes in which row.

Facts of different topics reach the log in no common order (a command's outcome may come before the command). So each
fact sets columns of its own in a row that it makes if need be, and the order does not matter; where two facts set the
same column (raised, cleared), they come from one stream in order. `unless` guards what is said only once: the first
outcome of a command counts, as it does for the playbook.
"""

from __future__ import annotations

from eventlog.change import KEYS, REBUILT, Change, merge
from eventlog.entry import Recorded
from eventlog.projecting.alarms import of_alarms, of_overrides
from eventlog.projecting.asking import of_acting, of_errands, of_questions
from eventlog.projecting.incidents import of_incidents, of_notifications
from eventlog.projecting.work import of_devices, of_playbooks, of_stages, of_steps

__all__ = ["KEYS", "REBUILT", "Change", "changes", "merge"]


def changes(line: Recorded) -> tuple[Change, ...]:
    """What a line of the log changes; nothing for a request, nor for what the log alone is the record of."""
    event = line.event
    if event is None:
        return ()
    return (
        of_alarms(event, line.position)
        or of_overrides(event, line.position)
        or of_incidents(event, line.recorded_at)
        or of_notifications(event)
        or of_playbooks(event)
        or of_steps(event)
        or of_questions(event)
        or of_errands(event)
        or of_acting(event)
        or of_devices(event)
        or of_stages(event)
    )
