"""Whatever a stranger sends, it is a request or it is told why not; nothing else happens, and nothing is guessed."""

from typing import Any, get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.words import KINDS, WordsError, body
from events.codec import decode_record, encode
from events.requests import ReportErrand, Request, RequestBody
from events.types import EPOCH, make_id
from tests.unit.desk.plant import ALARMS, OVER, PRESS_17, QUESTION, RUN, STANDING, Known

OF_PEOPLE = sorted(set(get_args(RequestBody)) - {ReportErrand}, key=lambda kind: kind.__name__)
FIELDS = sorted({f for kind in OF_PEOPLE for f in kind.__struct_fields__} | {"for", "duration", "area"})
words = st.sampled_from(
    [
        *ALARMS,
        str(STANDING),
        str(OVER),
        str(PRESS_17),
        str(RUN),
        "latest",
        "of five or six",
        "press_overpressure",
        "shop/press#17",
        "17",
        "press",
        "30min",
        "shop/press",
        "high",
        "",
    ]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50)
TEXTS: dict[Any, st.SearchStrategy[Any]] = {str: text, tuple[str, ...]: st.lists(text, max_size=3).map(tuple)}
types = st.sampled_from([*KINDS, *(kind.__struct_config__.tag for kind in OF_PEOPLE), "nonsense"])


@settings(deadline=None)
@given(type_=types, fields=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), words | anything, max_size=6))
def test_anything_is_a_request_that_travels_or_is_refused_by_its_field(type_: str, fields: dict[str, Any]) -> None:
    try:
        area, asked = body({**fields, "type": type_}, Known())
    except WordsError as error:
        assert error.reason
        return
    request = Request(id=make_id("r"), area=area, at=EPOCH, by="anna", role="operator", expires=EPOCH, body=asked)
    assert decode_record(encode(request)) == request
    assert area


@settings(deadline=None)  # the first draw builds its strategies
@given(kind=st.sampled_from(OF_PEOPLE), data=st.data())
def test_the_long_form_of_any_request_is_read_as_it_was_written(kind: type[RequestBody], data: st.DataObject) -> None:
    known = {
        "alarm": st.just(STANDING), "incident": st.just(PRESS_17), "into": st.just(PRESS_17),
        "alarms": st.just((STANDING, OVER)), "seen": st.sampled_from([None, (), (OVER,)]),
        "duration_s": st.floats(0, 3600 * 24), "device": st.just("press"),
        "run": st.just(RUN), "question": st.just(QUESTION), "playbook": st.just("press_overpressure"),
    }  # fmt: skip
    fields = {}
    for field in msgspec.structs.fields(kind):
        if field.name == "name":
            strategy: Any = st.sampled_from(["press_pressure.high", "press_vibration"])
        elif field.name in known:
            strategy = known[field.name]
        elif field.type in TEXTS:
            strategy = TEXTS[field.type]
        else:
            strategy = st.from_type(field.type)
        fields[field.name] = data.draw(strategy)
    if {"name", "device"} <= fields.keys():
        fields["device"] = ""
    asked = kind(**fields)
    written = msgspec.json.decode(msgspec.json.encode(asked))
    assert body({**written, "area": "shop/press"}, Known()) == ("shop/press", asked)
