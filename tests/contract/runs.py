"""The life of two runs in facts, for the tests of the log: every kind of fact that tells of one."""

from __future__ import annotations

from events import errands as e
from events import playbooks as p
from events.alarms import ConditionRaised
from events.envelope import Event, Fact
from events.requests import CommentIncident, Request
from events.types import make_id
from tests.contract.stories import PRESS, START, at, event

RUN, RETRY, INCIDENT = make_id("run", "relief"), make_id("run", "retry"), make_id("incident", "pressure")
QUESTION, TASK = make_id("question", RUN, "approve", 1), make_id("question", RUN, "swap", 1)
TICKET, TOLD = make_id("errand", RUN, "ticket", 1), make_id("errand", RUN, "tell", 1)
WATCH = ConditionRaised(
    occurrence=make_id("watch"), rule="watch.w3f2a1b0", rule_version="v1", kind="watch", point="press.pressure",
    message="press.pressure < 150", value=140.0, limit=None, unit="bar", began=START, priority="low",
)  # fmt: skip


def runs() -> list[Event]:
    """One run for an incident, with everything; it fails, is undone and retried. Then hands off, and on again."""
    facts: list[Fact] = [
        p.RunStarted(
            run=RUN, playbook="relief", version="1", incident=INCIDENT, title="Relieve the press", asked_by="anna",
            scope={"incident.title": "Pressure", "alarm.value": 201.5, "alarm.late": False}, chain=("relief",),
        ),
        p.StepStarted(run=RUN, step="ticket", attempt=1, due=at(12)),
        e.HttpIssued(
            errand=TICKET, key=make_id("errand", RUN, "ticket"), run=RUN, step="ticket", attempt=1, method="POST",
            url="https://cmms.example/tickets", headers={"Authorization": "Bearer {secret.cmms}"}, body="{}",
            not_after=at(11), author="playbook relief@1", incident=INCIDENT, expect=(201,), save={"ticket": "/id"},
        ),
        e.ErrandDone(errand=TICKET, status=201, result={"ticket": "T-1"}),
        p.StepFinished(
            run=RUN, step="ticket", attempt=1, outcome="done", result={"status": 201.0}, set={"ticket": "T-1"}
        ),
        p.StepStarted(run=RUN, step="approve", attempt=1, due=at(300)),
        p.QuestionAsked(
            question=QUESTION, run=RUN, step="approve", kind="approval", text="Open it?", to="shift_lead",
            role="supervisor", due=at(300), incident=INCIDENT, four_eyes=True,
        ),
        p.RunPaused(run=RUN, by="eva", reason="look first", due=at(3600)),
        p.QuestionAnswered(question=QUESTION, run=RUN, step="approve", by="eva", answer="yes", comment="I looked"),
        p.RunResumed(run=RUN, by="eva"),
        p.QuestionAnswered(question=QUESTION, run=RUN, step="approve", by="carl", answer="yes"),
        p.QuestionClosed(question=QUESTION, run=RUN, step="approve", answer="yes"),
        p.StepFinished(run=RUN, step="approve", attempt=1, outcome="done", result={"answer": "yes"}, by="carl"),
        p.CommandIssued(
            command=make_id("command", RUN, "open", 1), run=RUN, incident=INCIDENT, step="open", attempt=1,
            edge="edge-1", device="press", point="press.relief_valve", value=1.0, tolerance=0.0, not_after=at(20),
            author="playbook relief@1", precondition="press.position < 10",
        ),
        e.MessageIssued(
            errand=TOLD, run=RUN, step="tell", attempt=1, topic="factory/info", payload="open", not_after=at(20),
            author="playbook relief@1",
        ),
        e.ErrandFailed(errand=TOLD, reason="the broker is away"),
        e.RequestIssued(
            run=RUN, step="note", attempt=1,
            request=Request(
                id=make_id("note"), area=PRESS, at=at(16), by="playbook relief", role="system", expires=at(30),
                body=CommentIncident(incident=INCIDENT, text="opened"),
            ),
        ),
        p.QuestionAsked(
            question=TASK, run=RUN, step="swap", kind="task", text="Replace the seal", to="maintenance",
            role="operator", due=at(4000), incident=INCIDENT, checklist=("isolated", "replaced"), picture="seal.png",
        ),
        p.RunEscalated(run=RUN, step="open", reason="no answer: nobody knows where it is", to="shift_lead"),
        p.RunEnding(run=RUN, outcome="failed", detail="step open failed", undo=("open",)),
        p.QuestionClosed(question=TASK, run=RUN, step="swap", answer="", reason="its run ended"),
        p.RunFinished(run=RUN, outcome="failed", detail="step open failed"),
        p.RunStarted(
            run=RETRY, playbook="relief", version="1", incident=INCIDENT, title="Relieve the press", retry_of=RUN,
            done=("ticket", "approve"), asked_by="eva",
        ),
        WATCH,
        p.RunLooped(playbook="relief", incident=INCIDENT, chain=("relief", "relief"), until=at(900)),
        p.RunRefused(playbook="tidy", incident=None, reason="missed by 300 s", planned=at(2)),
        p.ActingStopped(by="anna", reason="smoke"),
        p.RunFinished(run=RETRY, outcome="cancelled", detail="hands off by anna: smoke"),
        p.ActingAllowed(by="eva", reason="only steam"),
        p.ActingStopped(by="anna", reason="smoke again"),
    ]  # fmt: skip
    return [event(f, i, index=i) for i, f in enumerate(facts)]
