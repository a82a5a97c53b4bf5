"""What a step does, in plain words: for `explaining` and `diagram`. Pure."""

from __future__ import annotations

from typing import assert_never

from devices.plant import Plant
from playbooks import plan, recipe


def act(act: recipe.Act, plant: Plant) -> str:
    """The act itself, as one says it: "write open to press.relief_valve and read it back"."""
    match act:
        case recipe.Write(point=point, value=value, precondition=precondition):
            only = f", if the device then says {precondition}" if precondition else ""
            return f"write {of_point(point, value, plant)} to {point} and read it back{only}"
        case recipe.Read(point=point, into=into):
            return f"ask the device for {point}, call it {into}"
        case recipe.WaitFor(condition=condition):
            return f"wait until {condition.said}"
        case recipe.Delay(seconds=seconds):
            return f"wait {span(seconds)}"
        case recipe.Notify(to=to, text=text, priority=priority):
            return f'tell {to} ({priority}): "{text}"'
        case recipe.Ask(text=text, to=to, role=role, choices=choices, four_eyes=four_eyes):
            answers = " or ".join(choices) if choices else "yes or no"
            who = f"two persons with the role {role}" if four_eyes else f"a person with the role {role}"
            return f'ask {to}: "{text}"; {who} may answer {answers}'
        case recipe.Task(text=text, to=to, role=role, checklist=checklist):
            ticks = f", ticking off: {', '.join(checklist)}" if checklist else ""
            return f'give {to} a task: "{text}"; a person with the role {role} reports it done{ticks}'
        case recipe.Http(method=method, url=url):
            return f"call {method} {url}"
        case recipe.Publish(topic=topic, payload=payload):
            return f'publish "{payload}" to {topic}'
        case recipe.OfIncident():
            return of_incident(act)
        case recipe.Set(values=values, expressions=expressions):
            return "set " + ", ".join(f"{name} to {value}" for name, value in (values | expressions).items())
        case recipe.Stop(outcome=outcome, text=text):
            return f'stop here as {outcome}: "{text}"'
        case recipe.Group(of=of, steps=steps):
            return f"do what the playbook {of} does" if of else f"{len(steps)} writes, one after the other"
        case recipe.Choose(cases=cases):
            return f"if {cases[0].condition.said}" if len(cases) == 1 else "the first of these that is so"
        case recipe.Parallel():
            return "beside each other"
        case recipe.Repeat(most=most, until=until, while_=while_):
            if until is not None:
                return f"again and again until {until.said}, at most {most} times"
            return f"as long as {while_.said}, at most {most} times" if while_ is not None else f"{most} times"
        case _:
            assert_never(act)


def unnamed(step: recipe.Step) -> bool:
    """Whether its name is only its number among its siblings."""
    return step.step.removeprefix("s").isdigit()


def of_point(name: str, value: float | str, plant: Plant) -> str:
    """A value as people say it: the state's name, or the number with its unit."""
    if isinstance(value, str):
        return f"the value of {value}"
    found = plant.points.get(name)
    if found is None:
        return f"{value:g}"
    states = {number: state for state, number in found[1].states.items()}
    return states.get(int(value), "") or f"{value:g} {found[1].unit}".rstrip()


def of_incident(act: recipe.OfIncident) -> str:
    match act.do:
        case "comment":
            return f'write into the incident: "{act.text}"'
        case "assign":
            return f"give the incident to {act.to}"
        case "escalate":
            return f'make the incident {act.priority}: "{act.text}"'
        case "close":
            return f'close the incident: "{act.text}"'


def trigger(of: plan.Trigger) -> str:
    match of:
        case plan.OnIncident(event=event, after=after):
            said = {
                "opened": "an incident opens or an alarm joins it", "changed": "an incident changes",
                "resolved": "an incident is resolved", "closed": "an incident is closed",
            }[event]  # fmt: skip
            return said + (f" for which {' or '.join(after)} ran" if after else "") + _of_alarm(of)
        case plan.OnAlarm(event=event):
            return ("an alarm is raised" if event == "raised" else "an alarm is gone") + _of_alarm(of)
        case plan.OnRequest(role=role):
            return f"a person with the role {role} asks for it"
        case plan.OnSchedule(cron=cron, zone=zone):
            return f"its time comes ({cron}, {zone})"
        case _:
            assert_never(of)


def _of_alarm(of: plan.OnIncident | plan.OnAlarm) -> str:
    said = f", by {' or '.join(of.rules)}" if of.rules else ""
    said += f", at {' or '.join(of.points)}" if of.points else ""
    return said + (f", of priority {of.min_priority} or higher" if of.min_priority != "low" else "")


def span(seconds: float) -> str:
    """`90.0` -> "90 s", `300.0` -> "5 min"."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
