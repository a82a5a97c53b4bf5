"""GET: playbooks, their runs, what they ask of people."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from msgspec import Struct

from analytics import runs
from analytics.run_rows import Question
from api.reading import NONE, Area, Limit, Offset, Time
from api.schema import gives
from api.service import json, service_of
from api.signing import reader
from desk.lookup import playbooks
from desk.seen import PlaybookSeen, RunSeen, one_question, one_run, playbook_seen, run_detail, run_seen

router = APIRouter(dependencies=[Depends(reader)], default_response_class=Response)

Run = Annotated[str, Path(description="Its id, latest, its playbook, or its incident (AREA#NUMBER, # is %23).")]


@router.get("/runs", openapi_extra=gives(list[RunSeen]), tags=["runs"])
def all_runs(
    request: Request, state: Annotated[Literal["going", "ended", "all"], Query()] = "all", playbook: str = "",
    area: Area = "", since: Time = None, until: Time = None, limit: Limit = 100, offset: Offset = 0,
) -> Response:  # fmt: skip
    """Runs, the newest first, without their steps."""
    going = {"going": True, "ended": False, "all": None}[state]
    with service_of(request).log.read() as db:
        found = runs.runs(
            db, going=going, playbook=playbook, area=area, since=since, until=until, limit=limit, offset=offset
        )
    return json([run_seen(one) for one in found])


@router.get("/runs/{run:path}", openapi_extra=gives(RunSeen), responses=NONE, tags=["runs"])
def run(request: Request, run: Run) -> Response:
    """One run with each attempt at its steps, its commands, questions, errands, and its timeline in words."""
    with service_of(request).log.read() as db:
        return json(run_detail(db, one_run(db, run)))


@router.get("/questions", openapi_extra=gives(list[Question]), tags=["runs"])
def questions(request: Request, area: Area = "", closed: bool = False, limit: Limit = 100) -> Response:
    """What playbooks wait for people with, what is due first before the rest; `closed`: what was decided, too."""
    with service_of(request).log.read() as db:
        return json(runs.questions(db, area=area, open_only=not closed, limit=limit))


@router.get("/questions/{question:path}", openapi_extra=gives(Question), responses=NONE, tags=["runs"])
def question(request: Request, question: Run) -> Response:
    """One question with what people have answered."""
    with service_of(request).log.read() as db:
        return json(one_question(db, question))


@router.get("/playbooks", openapi_extra=gives(list[PlaybookSeen]), tags=["runs"])
def all_playbooks(request: Request, area: Area = "") -> Response:
    """The playbooks in force, and which of them a person of which role may start."""
    log = service_of(request).log
    with log.read() as db:
        found = playbooks(db, log.plant().areas)
    seen = [playbook_seen(found[name]) for name in sorted(found)]
    return json([one for one in seen if not area or f"{one.area}/".startswith(f"{area}/")])


STRUCTS: tuple[type[Struct], ...] = (RunSeen, Question, PlaybookSeen)
