"""GET: what the log says, as rows; alarms with their state A to I."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, get_args
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from msgspec import Struct
from pydantic import AwareDatetime

from analytics import history, live, runs, standing
from analytics.history import Handover, Nuisance, PastFlood
from analytics.rows import Incident, IncidentStatus, LockedDevice, OverrideRow, StandingFlood
from analytics.run_rows import HandsOff
from analytics.standing import Counts, View
from api.schema import gives, problem
from api.service import json, service_of
from api.signing import reader
from desk import words
from desk.asking import Reply
from desk.lines import lines
from desk.seen import (
    AlarmDetail,
    AlarmsSeen,
    IncidentSeen,
    Line,
    alarm_detail,
    incident_detail,
    incident_review,
    line,
    page_seen,
)
from desk.words import UnknownThingError
from events.alarms import Override

router = APIRouter(dependencies=[Depends(reader)], default_response_class=Response)

Area = Annotated[str, Query(description="This area and all below it.")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=2**31)]
Time = Annotated[AwareDatetime | None, Query(description="With its time zone.")]
STATUSES: tuple[IncidentStatus, ...] = get_args(IncidentStatus)


class Standing(Struct, frozen=True, kw_only=True):
    """Everything at one glance: counts, floods, devices in maintenance, where hands are off."""

    counts: Counts
    floods: tuple[StandingFlood, ...]
    locked: tuple[LockedDevice, ...]
    hands_off: tuple[HandsOff, ...]


@router.get("/standing", openapi_extra=gives(Standing), tags=["alarms"])
def standing_now(request: Request, area: Area = "") -> Response:
    """How many alarms stand, are shelved, suppressed, out of service; floods; devices in maintenance; where hands are
    off."""
    with service_of(request).log.read() as db:
        found = Standing(
            counts=standing.counts(db, area=area), floods=tuple(standing.floods(db)),
            locked=tuple(standing.locked(db)), hands_off=tuple(runs.hands_off(db)),
        )  # fmt: skip
    return json(found)


@router.get("/alarms", openapi_extra=gives(AlarmsSeen), tags=["alarms"])
def alarms(request: Request, view: View = "shown", area: Area = "", limit: Limit = 200, offset: Offset = 0) -> Response:
    """What stands: unacknowledged first, then by priority, then the newest. `view`: "held back" by a flood, "hidden" by
    an override, "all"."""
    with service_of(request).log.read() as db:
        return json(page_seen(standing.alarms(db, view=view, area=area, limit=limit, offset=offset)))


@router.get("/alarms/{alarm}", openapi_extra=gives(AlarmDetail), responses={404: problem("none is called so")},
            tags=["alarms"])  # fmt: skip
def alarm(
    request: Request, alarm: Annotated[str, Path(description="Its name, or the id of an occurrence.")]
) -> Response:
    """One alarm: its newest occurrence (or the one of that id), and what keeps it from the operator."""
    log = service_of(request).log
    with log.read() as db:
        lookup = log.lookup(db)
        id_ = words.uuid_of(alarm)
        at = lookup.occurrence(id_) if id_ is not None else lookup.alarm(alarm)
        if at is None:
            raise UnknownThingError("alarm", f"the plant has no alarm '{alarm}'")
        return json(alarm_detail(db, at, id_))


@router.get("/overrides", openapi_extra=gives(list[OverrideRow]), tags=["alarms"])
def overrides(request: Request, kind: Override | None = None, area: Area = "", limit: Limit = 1000) -> Response:
    """What is shelved, suppressed, out of service now: who, why, until when."""
    with service_of(request).log.read() as db:
        return json(standing.overrides(db, kind=kind, area=area, limit=limit))


@router.get("/incidents", openapi_extra=gives(list[Incident]), tags=["incidents"])
def incidents(
    request: Request, status: Annotated[list[IncidentStatus] | None, Query()] = None, area: Area = "",
    assigned_to: str = "", since: Time = None, until: Time = None, limit: Limit = 100, offset: Offset = 0,
) -> Response:  # fmt: skip
    """Incidents, the newest first; without `status` those that somebody must act on."""
    chosen: Sequence[IncidentStatus] = status or live.OPEN
    with service_of(request).log.read() as db:
        found = live.incidents(
            db, status=chosen, area=area, assigned_to=assigned_to, since=since, until=until, limit=limit, offset=offset
        )
    return json(found)


Which = Annotated[str, Path(description="Its id, AREA#NUMBER (# is %23 in an address), or its number.")]
NONE: dict[int | str, dict[str, Any]] = {404: problem("there is none")}


MARKDOWN = "text/markdown; charset=utf-8"


@router.get("/incidents/{incident:path}/review.md", responses={**NONE, 200: {"content": {MARKDOWN: {}}}},
            tags=["incidents"])  # fmt: skip
def review(
    request: Request, incident: Which, zone: Annotated[str, Query(description="IANA name.")] = "UTC"
) -> Response:
    """The post-incident review as Markdown, with the timeline filled in."""
    log = service_of(request).log
    with log.read() as db:
        text = incident_review(db, words.incident(incident, log.lookup(db)), zone)
    return Response(text, media_type=MARKDOWN)


@router.get("/incidents/{incident:path}", openapi_extra=gives(IncidentSeen), responses=NONE, tags=["incidents"])
def incident(request: Request, incident: Which) -> Response:
    """One incident with its alarms, runs, calls and its timeline in words."""
    log = service_of(request).log
    with log.read() as db:
        return json(incident_detail(db, words.incident(incident, log.lookup(db))))


After = Annotated[
    int | None, Query(ge=0, lt=2**63, description="Lines behind this position, oldest first: to follow the log.")
]


@router.get("/events", openapi_extra=gives(list[Line]), tags=["log"])
def events(
    request: Request, area: Area = "", type: Annotated[list[str] | None, Query()] = None,
    cause: UUID | None = None, since: Time = None, until: Time = None,
    after: After = None,
    limit: Limit = 200,
) -> Response:  # fmt: skip
    """Lines of the log, the newest first."""
    with service_of(request).log.read() as db:
        found = lines(db, types=type or (), area=area, cause=cause, since=since, until=until, after=after, limit=limit)
    return json([line(one) for one in found])


@router.get("/floods", openapi_extra=gives(list[PastFlood]), tags=["log"])
def floods(request: Request, area: Area = "", since: Time = None, until: Time = None, limit: Limit = 200) -> Response:
    """Floods that are over; what lasts is in /standing."""
    with service_of(request).log.read() as db:
        return json(history.floods(db, area=area, since=since, until=until, limit=limit))


@router.get("/handovers", openapi_extra=gives(list[Handover]), tags=["log"])
def handovers(
    request: Request, area: Area = "", position: str = "", since: Time = None, until: Time = None, limit: Limit = 50
) -> Response:
    """What each shift was told when it began."""
    with service_of(request).log.read() as db:
        return json(history.handovers(db, area=area, position=position, since=since, until=until, limit=limit))


@router.get("/nuisances", openapi_extra=gives(list[Nuisance]), tags=["log"])
def nuisances(
    request: Request, area: Area = "", since: Time = None, until: Time = None, limit: Limit = 100
) -> Response:
    """How people voted on alarms when they closed incidents: the least useful first."""
    with service_of(request).log.read() as db:
        return json(history.nuisances(db, area=area, since=since, until=until, limit=limit))


@router.get("/requests/{id_}", openapi_extra=gives(Reply), responses=NONE, tags=["log"])
def answer(request: Request, id_: UUID) -> Response:
    """What became of a request; 404 while nothing has."""
    service = service_of(request)
    with service.log.read():  # else "no answer yet" would be said of a log that is away
        found = service.desk.answered(id_)
    if found is None:
        raise UnknownThingError("request", f"there is no answer to {id_} yet")
    return json(found)


STRUCTS: tuple[type[Struct], ...] = (
    Standing, AlarmsSeen, AlarmDetail, OverrideRow, Incident, IncidentSeen, Line, PastFlood, Handover, Nuisance, Reply,
)  # fmt: skip
