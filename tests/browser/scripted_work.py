"""What playbooks do in the scripted plant: their runs and questions, and where hands are off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from analytics.run_rows import Answered, Command, HandsOff, Notification, Question, Run, Step
from desk.seen import PlaybookSeen
from events.requests import AllowActing, AnswerQuestion, CancelRun, PauseRun, Request, ResumeRun, StopActing
from events.types import make_id


def now() -> datetime:
    return datetime.now(UTC)


class ScriptedWork:
    """Answers as the playbooks brain would; refusals are given by the test (`refuse`)."""

    def __init__(self) -> None:
        self.runs: dict[UUID, Run] = {}
        self.questions: dict[UUID, Question] = {}
        self.hands_off: dict[str, HandsOff] = {}
        self.books = (
            PlaybookSeen(playbook="press_flush", title="Flush the hydraulics", area="shop/press", version="v1",
                         mode="single", priority=50, asked_by="operator"),
            PlaybookSeen(playbook="press_calibrate", title="Calibrate the press", area="shop/press", version="v1",
                         mode="single", priority=50, asked_by="engineer"),
        )  # fmt: skip

    def going(self) -> tuple[Run, ...]:
        return tuple(r for r in self.runs.values() if r.outcome is None)

    def open_questions(self) -> tuple[Question, ...]:
        return tuple(sorted((q for q in self.questions.values() if q.closed_at is None), key=lambda q: q.due))

    def done(self, request: Request) -> None:
        match request.body:
            case StopActing(reason=reason):
                self.hands_off[request.area] = HandsOff(
                    area=request.area, stopped_at=request.at, stopped_by=request.by, reason=reason
                )
            case AllowActing():
                self.hands_off.pop(request.area, None)
            case AnswerQuestion(question=id_, answer=answer, comment=comment, ticked=ticked):
                q = self.questions[id_]
                said = Answered(by=request.by, at=request.at, answer=answer, comment=comment, ticked=ticked)
                yes = len(q.answers) + 1 >= (2 if q.four_eyes and answer == "yes" else 1)
                ended = {"closed_at": now(), "answer": answer} if yes else {}
                self.questions[id_] = replace(q, answers=(*q.answers, said), **ended)
            case CancelRun(run=run, reason=reason):
                self._change(run, outcome="cancelled", finished_at=now(), ended_by=request.by, detail=reason)
            case PauseRun(run=run, reason=reason, duration_s=duration_s):
                due = request.at + timedelta(seconds=duration_s)
                self._change(run, paused=True, paused_by=request.by, pause_reason=reason, pause_due=due)
            case ResumeRun(run=run):
                self._change(run, paused=False)
            case _:
                pass

    def _change(self, run: UUID, **fields: Any) -> None:
        self.runs[run] = replace(self.runs[run], **fields)

    # --- the test's hand

    def ask(self, name: str = "q", *, left: float = 120.0, kind: Any = "approval", text: str = "Open the bypass?",
            role: str = "operator", run: str = "slow", incident: str = "", area: str = "shop/press",
            **more: Any) -> dict[str, Any]:  # fmt: skip
        more = {k: tuple(v) if isinstance(v, list) else v for k, v in more.items()}
        asked = Question(
            question=make_id("question", name), run=make_id("run", run), area=area, step="approve", kind=kind,
            text=text, to="shift_lead", role=role, asked_at=now(), due=now() + timedelta(seconds=left),
            playbook="press_bypass", incident=make_id("incident", incident) if incident else None, **more,
        )  # fmt: skip
        self.questions[asked.question] = asked
        return {"question": str(asked.question)}

    def off(self, areas: list[str], by: str, reason: str) -> dict[str, Any]:
        for area in areas:
            self.hands_off[area] = HandsOff(area=area, stopped_at=now(), stopped_by=by, reason=reason)
        return {}

    def on(self) -> dict[str, Any]:
        self.hands_off.clear()
        return {}

    def go(self, name: str = "slow", *, left: float = 45.0, ago: float = 20.0, incident: str = "", failed: bool = False,
           **more: Any) -> dict[str, Any]:  # fmt: skip
        """A run at the second attempt of its second step; or one that failed there and undid its first."""
        start = now() - timedelta(seconds=ago)

        def after(seconds: float) -> datetime:
            return start + timedelta(seconds=seconds)

        steps = [
            Step(step="relieve", attempt=1, started_at=after(0), due=after(2), finished_at=after(0.04), outcome="done",
                 detail="reads back 1"),
            Step(step="slow", attempt=1, started_at=after(0.1), due=after(2.1), finished_at=after(2.1),
                 outcome="failed", detail="no answer within 2 s"),
            Step(step="slow", attempt=2, started_at=after(3), due=now() + timedelta(seconds=left)),
        ]  # fmt: skip
        ended: dict[str, Any] = {}
        if failed:
            steps[2] = replace(steps[2], outcome="failed", finished_at=after(5), detail="reads back 60, wanted 30")
            steps.append(Step(step="undo:relieve", attempt=1, started_at=after(5.1), due=after(7), outcome="done",
                              finished_at=after(5.15)))  # fmt: skip
            ended = {
                "outcome": "failed", "finished_at": after(5.2), "detail": "step slow: reads back 60, wanted 30",
                "undo": ("relieve",), "escalated_at": after(5.2), "escalated_to": "shift_lead",
                "escalated_step": "slow", "escalated_reason": "nobody knows whether the drive turns slower",
            }  # fmt: skip
        wrote = [("relieve", 1, "press.relief_valve", 1.0), *(("slow", n, "drive.speed", 30.0) for n in (1, 2))]
        commands = [
            Command(command=make_id(name, n), step=step, attempt=attempt, point=point, value=value, issued_at=after(n),
                    not_after=after(n + 2), precondition="drive.ready" if step == "slow" else "")
            for n, (step, attempt, point, value) in enumerate(wrote)
        ]  # fmt: skip
        commands[0] = replace(commands[0], outcome="succeeded", read_back=1.0, confirmed_at=after(0.041))
        commands[1] = replace(commands[1], outcome="failed", reason="no answer within 2 s")
        told = Notification(to="shift_lead", text="The press is relieved", issued_at=after(0.05), step="relieve")
        id_ = make_id("run", name)
        self.runs[id_] = Run(
            run=id_, playbook="press_slow_down", version="3fa09c11d2e4aa", title="Relieve the press and slow it down",
            started_at=start, area="shop/press", incident=make_id("incident", incident) if incident else None,
            scope={"incident.title": "Hydraulic pressure too high", "alarm.message": "Hydraulic pressure",
                   "alarm.value": 262.37, "alarm.unit": "bar"},
            steps=tuple(steps), commands=tuple(commands), notifications=(told,), **(ended | more),
        )  # fmt: skip
        return {"run": str(id_)}
