"""Lines of a trace in words: what a person reads aloud when they ask what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

Facts = Mapping[str, Any]
Say = Callable[[Facts], str]


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else "no number"


def _measured(f: Facts) -> str:
    if f.get("value") is None:
        return ""
    limit = "" if f.get("limit") is None else f", limit {_number(f['limit'])}"
    return f" ({_number(f['value'])}{limit} {f.get('unit', '')})".replace(" )", ")")


def _because(f: Facts, field: str = "reason") -> str:
    return f": {f[field]}" if f.get(field) else ""


_ALARMS: dict[str, Say] = {
    "condition.raised": lambda f: (
        f"a playbook's condition holds: {f['message']}{_late(f)}"
        if f.get("kind") == "watch"
        else f"rule {f['rule']} fired on {f['point']}{_measured(f)}{_late(f)}"
    ),
    "condition.cleared": lambda f: (
        f"a playbook's condition no longer holds ({f['rule']})"
        if f["rule"].startswith("watch.")
        else f"rule {f['rule']} {f.get('reason', 'cleared')}"
    ),
    "condition.stands": lambda f: f"rule {f['rule']} still holds, by live readings",
    "condition.noted": lambda f: f"rule {f['rule']} {'holds' if f['holds'] else 'no longer holds'} ({f['kind']})",
    "alarm.raised": lambda f: (
        f"alarm {f['priority'].upper()}: {f['message']}{_measured(f)}{_late(f)}"
        + (f", recorded only: {f['hidden']}" if f.get("hidden") else "")
        + (f", first out of {f['group']}" if f.get("first_out") else "")
        + (", again before the last one was acknowledged" if f.get("replaces") else "")
    ),
    "alarm.became_live": lambda _: "the alarm from history is true now",
    "alarm.level_changed": lambda f: (
        f"alarm {'rises' if f['holds'] else 'is left'} at {f['rule']}{_measured(f)}, {f['priority'].upper()} now"
        + (", to be acknowledged again" if f.get("again") else "")
    ),
    "alarm.acknowledged": lambda f: (
        f"alarm acknowledged by {f['by']}{_because(f, 'comment')}" if f["by"] else "alarm acknowledged by itself"
    ),
    "alarm.cleared": lambda f: (
        f"alarm {f.get('reason', 'cleared')}"
        + (", latched: it waits for a reset" if f.get("latched") else "")
        + (", its return is to be acknowledged" if f.get("ringback") else "")
        + (", before anybody could act" if f.get("fleeting") else "")
    ),
    "alarm.reset": lambda f: f"alarm reset by {f['by']}",
    "alarm.reannounced": lambda f: f"alarm announced again{_because(f)}",
    "alarm.silenced": lambda f: f"horn off, by {f['by']}",
    "alarm.stale": lambda f: f"alarm is stale: it stands since {_clock(f['since'], day=True)}",
    "alarm.held_back": lambda f: f"alarm held back in the flood{_because(f)}",
    "alarm.released": lambda f: f"alarm shown again{_because(f)}",
    "alarm.shelved": lambda f: (
        f"{f['name']} shelved{_by(f)} until {_clock(f['until'])}"
        f"{', or until it is normal' if f.get('one_shot') else ''}{_because(f)}"
    ),
    "alarm.unshelved": lambda f: f"{f['name']} no longer shelved{_by(f)}{_because(f)}",
    "alarm.suppressed": lambda f: f"{f['name']} suppressed, {f['cause']}{_until(f)}{_because(f)}",
    "alarm.unsuppressed": lambda f: f"{f['name']} no longer suppressed, {f['cause']}{_by(f)}{_because(f)}",
    "alarm.taken_out_of_service": lambda f: (
        f"{f['name']} out of service{_by(f)} until {_clock(f['until'], day=True)}"
        f"{' with ' + f['device'] if f.get('device') else ''}{_because(f)}"
    ),
    "alarm.returned_to_service": lambda f: f"{f['name']} back in service{_by(f)}{_because(f)}",
    "alarm.chattering": lambda f: f"{f['name']} chatters: {f['times']} times in {f['within_s']:g} s",
    "alarm.settled": lambda f: f"{f['name']} has settled",
    "device.locked_out": lambda f: f"{f['device']} locked out{_by(f)}{_until(f)}{_because(f)}",
    "device.released": lambda f: f"{f['device']} released{_by(f)}{_because(f)}",
    "alarms.heard": lambda f: f"the plant heard of {len(f['alarms'])} alarms of an area",
    "flood.began": lambda f: f"flood ({f['scope']}): {f['alarms']} alarms",
    "flood.ended": lambda f: (
        f"flood ({f['scope']}) is over: {f['alarms']} alarms, {f['held_back']} of them held back,"
        f" {f['peak']} at the peak"
    ),
}
_INCIDENTS: dict[str, Say] = {
    "incident.opened": lambda f: (
        f"{'candidate' if f.get('candidate') else 'incident'} {f['number']} "
        f"{'split off' if f.get('split_from') else 'opened'}: {f['title']}"
    ),
    "incident.alarm_grouped": lambda f: f"alarm of {f['rule']} joined{_because(f)}",
    "incident.confirmed": lambda f: f"incident confirmed{_by(f)}{_because(f)}",
    "incident.priority_changed": lambda f: f"priority is {f['priority'].upper()} now{_by(f)}{_because(f)}",
    "incident.acknowledged": lambda f: f"incident acknowledged by {f['by']}",
    "incident.assigned": lambda f: (
        f"assigned to {f['to']}{_by(f)}{_because(f, 'comment')}"
        if f["to"]
        else f"no longer assigned{_by(f)}{_because(f, 'comment')}"
    ),
    "incident.commented": lambda f: f"{f['by']}: {f['text']}",
    "incident.attached": lambda f: f"{f['by']} attached {f['name']} ({f['ref']})",
    "incident.merged": lambda f: f"merged into another incident{_by(f)}{_because(f)}",
    "incident.resolved": lambda _: "incident resolved",
    "incident.reopened": lambda f: f"incident opened again ({f['opening']}. time){_by(f)}{_because(f)}",
    "incident.closed": lambda f: (
        f"closed{_by(f)}. Cause: {f['cause'] or 'not said'}. Action: {f['action'] or 'not said'}"
        + {True: ". The alarm was useful", False: ". The alarm was a nuisance", None: ""}[f.get("useful")]
        + _because(f, "comment")
    ),
    "shift.handed_over": lambda f: (
        f"{f['position']} handed over{' to ' + f['to'] if f.get('to') else ''}: {len(f['open'])} incidents,"
        f" {f['standing']} alarms; shelved {_list(f['shelved'])}; suppressed {_list(f['suppressed'])};"
        f" out of service {_list(f['out_of_service'])}{_because(f, 'note')}"
    ),
    "escalation.stepped": lambda f: (
        f"escalation {f['policy']}, step {f['step']}{_round(f)}: calls {_list(f['to'])}"
        if f["step"]
        else f"escalation {f['policy']} begins"
    ),
    "escalation.ended": lambda f: f"escalation {f['policy']} ended{_because(f)}",
    "notification.issued": lambda f: f"told {f['to']}: {f['text']}",
    "notification.delivered": lambda f: f"{f['person']} reached by {f['channel']}{_attempt(f)}",
    "notification.failed": lambda f: (
        f"{f['person']} not reached by {f['channel']}{_attempt(f)}{_because(f)}{'' if f['final'] else '; tried again'}"
    ),
    "notification.withdrawn": lambda f: f"nobody was told{_because(f)}",
}
_WORK: dict[str, Say] = {
    "run.started": lambda f: (
        f"playbook {f['playbook']} started: {f['title']}"
        + (f", asked for by {f['asked_by']}" if f.get("asked_by") else "")
        + (f", planned for {_clock(f['planned'])}" if f.get("planned") else "")
        + (f", without {_list(f['done'])}, which an earlier run did" if f.get("done") else "")
        + (f", not before {_clock(f['not_before'])}" if f.get("not_before") else "")
    ),
    "run.refused": lambda f: f"playbook {f['playbook']} was not started{_because(f)}",
    "run.step_started": lambda f: f"step {f['step']}{_attempt(f)} begins, due {_clock(f['due'])}",
    "run.step_finished": lambda f: (
        f"step {f['step']}{_attempt(f)} {f['outcome']}{_by(f)}{_because(f, 'detail')}{_values(f.get('result'))}"
        + _values(f.get("set"), "sets ")
    ),
    "run.ending": lambda f: (
        f"playbook ends as {f['outcome']}{_by(f)}{_because(f, 'detail')}"
        + (f"; undoes {_list(f['undo'])}" if f.get("undo") else "")
    ),
    "run.paused": lambda f: (
        f"playbook paused{_by(f)}{_because(f)}; cancelled at {_clock(f['due'])} if nobody resumes it"
    ),
    "run.resumed": lambda f: f"playbook resumed{_by(f)}",
    "run.escalated": lambda f: f"{f['to']} must look at step {f['step']}{_because(f)}",
    "run.looped": lambda f: (
        f"playbook {f['playbook']} sets itself off ({' → '.join(f['chain'])}): refused until {_clock(f['until'])}"
    ),
    "run.finished": lambda f: f"playbook {f['outcome']}{_because(f, 'detail')}",
    "question.asked": lambda f: (
        f"asks {f['to']}: {f['text']}{_options(f)}, until {_clock(f['due'])}"
        f"{', two persons must say yes' if f.get('four_eyes') else ''}"
    ),
    "question.answered": lambda f: (
        f"{f['by']} answers {f['answer']}{_because(f, 'comment')}"
        + (f"; ticked: {_list(f['ticked'])}" if f.get("ticked") else "")
    ),
    "question.closed": lambda f: f"question decided: {f['answer'] or 'no answer'}{_because(f)}",
    "acting.stopped": lambda f: f"HANDS OFF{_by(f)}: no playbook acts, no device is moved{_because(f)}",
    "acting.allowed": lambda f: f"hands off is over{_by(f)}{_because(f)}",
    "http.issued": lambda f: f"calls {f['method']} {f['url']}{_attempt(f)}",
    "message.issued": lambda f: f"publishes to {f['topic']}: {f['payload']}{_attempt(f)}",
    "request.issued": lambda f: sentence(f"request.{f['request'][-1]['type']}", f["request"][-1]),
    "errand.done": lambda f: f"errand done{_status(f)}{_values(f.get('result'))}",
    "errand.failed": lambda f: (
        f"errand failed{_status(f)}{_because(f)}{'' if f.get('final') else '; may be tried again'}"
    ),
    "run.handed_on": lambda f: f"what {_list(f['playbooks'])} did is answered for elsewhere: {f['why']}",
    "command.issued": lambda f: (
        f"reads {f['point']}{_attempt(f)} at {f['edge']}"
        if f.get("kind") == "read"
        else f"command: {f['point']} = {_number(f['value'])}{_attempt(f)} to {f['edge']}"
        + (f", if {f['precondition']}" if f.get("precondition") else "")
    ),
    "command.succeeded": lambda f: f"done: {f['point']} reads {_number(f['read_back'])}",
    "command.failed": lambda f: f"command to {f['point']} failed{_because(f)}",
    "command.refused": lambda f: f"command to {f['point']} refused{_because(f)}",
    "lock_out.issued": lambda f: (
        f"{f['device']} is to refuse every command{_because(f)}" if f["reason"] else f"{f['device']} may be commanded"
    ),
}
_REQUESTS: dict[str, Say] = {
    "request.acknowledge_alarm": lambda f: f"asked to acknowledge the alarm{_because(f, 'comment')}",
    "request.acknowledge_incident": lambda f: f"asked to acknowledge the incident{_because(f, 'comment')}",
    "request.silence": lambda _: "asked for the horn to be off",
    "request.reset_alarm": lambda _: "asked to reset the alarm",
    "request.shelve_alarm": lambda f: f"asked to shelve {f['name']} for {_span(f['duration_s'])}{_because(f)}",
    "request.unshelve_alarm": lambda f: f"asked to unshelve {f['name']}{_because(f)}",
    "request.suppress_alarm": lambda f: f"asked to suppress {f['name']} for {_span(f['duration_s'])}{_because(f)}",
    "request.unsuppress_alarm": lambda f: f"asked to end the suppression of {f['name']}{_because(f)}",
    "request.take_out_of_service": lambda f: (
        f"asked to take {f['name'] or f['device']} out of service for {_span(f['duration_s'])}{_because(f)}"
    ),
    "request.return_to_service": lambda f: f"asked to return {f['name'] or f['device']} to service{_because(f)}",
    "request.confirm_incident": lambda f: f"asked to confirm the incident{_because(f)}",
    "request.set_priority": lambda f: f"asked for priority {f['priority'].upper()}{_because(f)}",
    "request.assign_incident": lambda f: (
        f"asked to assign the incident to {f['to'] or 'nobody'}{_because(f, 'comment')}"
    ),
    "request.comment_incident": lambda f: f"asked to note: {f['text']}",
    "request.attach_to_incident": lambda f: f"asked to attach {f['name']} ({f['ref']})",
    "request.merge_incidents": lambda f: f"asked to merge the incident into another{_because(f)}",
    "request.split_incident": lambda f: f"asked to split off {len(f['alarms'])} alarms{_because(f)}",
    "request.close_incident": lambda f: f"asked to close the incident: {f['cause']}; {f['action']}",
    "request.reopen_incident": lambda f: f"asked to open the incident again{_because(f)}",
    "request.hand_over": lambda f: f"asked to hand {f['position']} over to {f['to']}{_because(f, 'note')}",
    "request.start_run": lambda f: f"asked to start {f['playbook']}{_because(f)}",
    "request.cancel_run": lambda f: f"asked to cancel the run{_because(f)}",
    "request.pause_run": lambda f: f"asked to pause the run for {_span(f['duration_s'])}{_because(f)}",
    "request.resume_run": lambda _: "asked to let the run go on",
    "request.retry_run": lambda f: (
        f"asked to run it again{' from step ' + f['step'] if f.get('step') else ''}{_because(f)}"
    ),
    "request.answer_question": lambda f: f"asked to answer {f['answer']}{_because(f, 'comment')}",
    "request.stop_acting": lambda f: f"asked for hands off{_because(f)}",
    "request.allow_acting": lambda f: f"asked to let playbooks act again{_because(f)}",
    "request.report_errand": lambda f: (
        f"reported an errand: failed{_status(f)}{_because(f)}"
        if f.get("reason")
        else f"reported an errand: done{_status(f)}"
    ),
    "request.refused": lambda f: f"request of {f['by']} refused{_because(f)}",
}
_WORDS: dict[str, Say] = _ALARMS | _INCIDENTS | _WORK | _REQUESTS


def sentence(type_: str, facts: Facts) -> str:
    """The fact in words; a type that has none is shown as it is."""
    say = _WORDS.get(type_)
    return say(facts) if say else f"{type_} {dict(facts)}"


def _late(f: Facts) -> str:
    return ", from history" if f.get("late") else ""


def _attempt(f: Facts) -> str:
    return f" (attempt {f['attempt']})" if f.get("attempt", 1) > 1 else ""


def _clock(text: str, *, day: bool = False) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S" if day else "%H:%M:%S")


def _by(f: Facts) -> str:
    return f" by {f['by']}" if f.get("by") else ""


def _until(f: Facts) -> str:
    return f" until {_clock(f['until'])}" if f.get("until") else ""


def _round(f: Facts) -> str:
    return f" of round {f['round']}" if f["round"] > 1 else ""


def _span(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.4g} {unit}"
    return f"{seconds:.4g} s"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"


def _values(values: Mapping[str, Any] | None, before: str = "") -> str:
    said = ", ".join(f"{k} = {v:g}" if type(v) is float else f"{k} = {v}" for k, v in (values or {}).items())
    return f" ({before}{said})" if said else ""


def _status(f: Facts) -> str:
    return f" (HTTP {f['status']})" if f.get("status") else ""


def _options(f: Facts) -> str:
    """What a question lets people choose from, or tick off."""
    named = " or ".join(f["choices"]) if f.get("choices") else ", ".join(f.get("checklist", ()))
    return f" ({named})" if named else ""
