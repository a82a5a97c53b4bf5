"""What a playbook file may say, and what the machine gets of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devices.plant import load_plant
from playbooks import plan, recipe
from playbooks.loading import consequences, load
from playbooks.plan import Watch, unpack
from playbooks.recipe import Condition
from tests.unit.playbooks.test_bad_files import EXAMPLE, SHOP, shop_floor

HEAD = "id: relieve\narea: shop/press\ntrigger: {incident: opened, rule: press_pressure.*}\n"
GOOD = f"""\
{HEAD}title: Relieve the press
steps:
  - {{step: open, write: {{press.relief_valve: open}}, timeout: 2s, retry: 2}}
  - {{write: {{press2.relief_valve: open, press.setpoint: 80}}, timeout: 5s, not_after: 500ms, on_error: continue}}
  - {{notify: shift_lead, text: "{{incident.title}}"}}
"""


def loaded(tmp_path: Path, **files: str) -> tuple[plan.PlaybookSet, list[str]]:
    for name in ("playbooks", "blueprints"):
        (tmp_path / name).mkdir(exist_ok=True)
    blueprint = (SHOP / "blueprints" / "relief.yaml").read_text("utf-8")
    (tmp_path / "blueprints" / "relief.yaml").write_text(blueprint, "utf-8")
    for name, text in files.items():
        (tmp_path / "playbooks" / f"{name}.yaml").write_text(text, "utf-8")
    books, errors = load(tmp_path / "playbooks", shop_floor())
    return books, [str(e) for e in errors]


def one(tmp_path: Path, *lines: str, head: str = HEAD) -> plan.Playbook:
    books, errors = loaded(tmp_path, a=f"{head}steps:\n" + "".join(f"  - {line}\n" for line in lines))
    assert errors == []
    (book,) = books.playbooks
    return book


def acts(book: plan.Playbook) -> list[Any]:
    return [step.act for step in book.steps]


def test_the_example_s_playbooks_load_without_a_complaint() -> None:
    plant, errors = load_plant(EXAMPLE)
    assert not errors
    books, errors = load(EXAMPLE / "playbooks", plant)
    assert errors == []
    assert {"press_overpressure", "press_reset", "cooling_anomaly", "cooling_reset"} <= {
        b.playbook for b in books.playbooks
    }
    assert {b.area for b in books.playbooks} <= plant.areas.keys()


def test_a_write_carries_all_that_its_execution_needs(tmp_path: Path) -> None:
    books, errors = loaded(tmp_path, a=GOOD)
    assert errors == []
    first, both, tell = books.playbooks[0].steps
    assert first.act == recipe.Write("edge-1", "press", "press.relief_valve", 1.0, 0.0, 0.0, 1.0)
    assert (first.step, first.timeout_s, first.valid_s, first.retry, first.on_error) == ("open", 2.0, 2.0, 2, "stop")
    assert (tell.step, tell.act) == ("s3", recipe.Notify("shift_lead", "{incident.title}", "high"))
    assert both.step == "s2" and both.on_error == "continue" and both.timeout_s == 0
    assert isinstance(both.act, recipe.Group) and [s.step for s in both.act.steps] == ["1", "2"]
    each = both.act.steps[1]
    assert each.act == recipe.Write("edge-1", "press", "press.setpoint", 80.0, 0.1, 0.0, 250.0)
    assert (each.timeout_s, each.valid_s, each.retry, each.on_error) == (5.0, 0.5, 1, "continue")


def test_what_a_write_may_say_besides(tmp_path: Path) -> None:
    read, write = one(
        tmp_path, "{read: {target: press.setpoint}, timeout: 2s}",
        "{write: {press.setpoint: vars.target * 0.5}, tolerance: 2, precondition: press.relief_valve == 'closed', "
        "only_if: vars.target > 100, undo: {step: back, write: {press.setpoint: vars.target}}}",
    ).steps  # fmt: skip
    assert read.act == recipe.Read("edge-1", "press", "press.setpoint", "target")
    assert write.act == recipe.Write("edge-1", "press", "press.setpoint", "vars.target * 0.5", 2.0, 0.0, 250.0,
                                   "press.relief_valve == 0")  # fmt: skip
    assert write.only_if == Condition("vars.target > 100", "vars.target > 100")
    assert [s.step for s in write.undo] == ["back"]


def test_each_kind_of_step_becomes_what_runs(tmp_path: Path) -> None:
    book = one(
        tmp_path,
        "{delay: 10s}",
        '{ask: "Go to {area}?", to: shift_lead, role: supervisor, four_eyes: true, timeout: 5min}',
        "{ask: Which?, to: anna, choices: [left, right], otherwise: left, timeout: 5min}",
        "{task: Replace the seal, to: maintenance, checklist: [isolated, tested], picture: seal.png, timeout: 4h}",
        '{publish: {topic: factory/info, payload: "{alarm.value}", retain: true}, timeout: 5s}',
        "{incident: {comment: Done}}",
        "{incident: {assign: anna}}",
        "{incident: {escalate: It does not fall, priority: high}}",
        "{incident: {close: {cause: valve, action: opened}}}",
        '{set: {a: 3, b: true, c: "vars.a * 2", d: "\'A\'"}}',
        "{stop: nothing to do, outcome: failed}",
    )
    assert acts(book) == [
        recipe.Delay(10.0),
        recipe.Ask("Go to {area}?", "shift_lead", "supervisor", four_eyes=True),
        recipe.Ask("Which?", "anna", "operator", choices=("left", "right"), otherwise="left"),
        recipe.Task(
            "Replace the seal", "maintenance", "operator", checklist=("isolated", "tested"), picture="seal.png"
        ),
        recipe.Publish("factory/info", "{alarm.value}", retain=True),
        recipe.OfIncident("comment", "Done"),
        recipe.OfIncident("assign", to="anna"),
        recipe.OfIncident("escalate", "It does not fall", priority="high"),
        recipe.OfIncident("close", "valve", action="opened"),
        recipe.Set({"a": 3, "b": True}, {"c": "vars.a * 2", "d": "'A'"}),
        recipe.Stop("failed", "nothing to do"),
    ]
    assert [s.timeout_s for s in book.steps[1:4]] == [300.0, 300.0, 14400.0]
    assert all(s.timeout_s > 0 for s in book.steps), "every step that is no group has a deadline"


def test_http_says_what_it_sends_and_what_it_keeps(tmp_path: Path) -> None:
    book = one(
        tmp_path,
        '{step: ticket, http: {url: "https://cmms.example/t/{incident.number}", headers: {Authorization: "Bearer '
        '{secret.cmms}"}, json: {title: "{incident.title}", n: 3}, expect: [201], save: {id: /ticket/id}}, pause: 5s}',
        '{http: {method: GET, url: "http://mes.example"}}',
        '{notify: anna, text: "Ticket {steps.ticket.id}, {steps.ticket.status}"}',
    )
    assert acts(book)[:2] == [
        recipe.Http("POST", "https://cmms.example/t/{incident.number}",
                  {"Content-Type": "application/json", "Authorization": "Bearer {secret.cmms}"},
                  '{"title": "{incident.title}", "n": 3}', (201,), {"id": "/ticket/id"}),
        recipe.Http("GET", "http://mes.example"),
    ]  # fmt: skip
    assert (book.steps[0].timeout_s, book.steps[0].retry, book.steps[0].pause_s) == (30.0, 1, 5.0)


def test_steps_hold_steps(tmp_path: Path) -> None:
    book = one(
        tmp_path,
        "{step: decide, if: alarm.value > 3, then: [{delay: 1s}], else: [{delay: 2s}]}",
        "{choose: [{when: alarm.value > 3, steps: [{delay: 1s}]}, {when: alarm.value > 2, steps: []}]}",
        "{parallel: [[{delay: 1s}], [{delay: 2s}]], timeout: 1min}",
        "{repeat: {times: 3, steps: [{delay: 1s}]}}",
        "{repeat: {while: alarm.value > 3, most: 4, steps: [{delay: 1s}]}}",
        "{repeat: {until: steps.decide.branch == 1, most: 5, steps: [{delay: 1s}]}}",
        "{wait_for: alarm.value > 3, timeout: 1s, on_error: [{step: tell, notify: anna, text: Look}]}",
    )
    wait = recipe.Step("s1", recipe.Delay(1.0), 11.0)
    value = Condition("alarm.value > 3", "alarm.value > 3")
    decide, choose, parallel, *repeats, waits = book.steps
    assert decide.act == recipe.Choose((recipe.Case(value, (wait,)),), (recipe.Step("s1", recipe.Delay(2.0), 12.0),))
    assert isinstance(choose.act, recipe.Choose) and [len(c.steps) for c in choose.act.cases] == [1, 0]
    assert isinstance(parallel.act, recipe.Parallel) and len(parallel.act.branches) == 2
    assert (decide.timeout_s, parallel.timeout_s) == (0.0, 60.0)
    assert [r.act for r in repeats] == [
        recipe.Repeat((wait,), 3), recipe.Repeat((wait,), 4, while_=value),
        recipe.Repeat((wait,), 5, until=Condition("steps.decide.branch == 1", "steps.decide.branch == 1")),
    ]  # fmt: skip
    assert [s.step for s in waits.handler] == ["tell"] and waits.on_error == "stop"


@pytest.mark.parametrize(
    ("said", "text", "watches"),
    [
        ("press.pressure < 150", "watch.A", {"A": "press.pressure < 150"}),
        ("press.relief_valve == 'open' && alarm.value > 3", "watch.A && alarm.value > 3",
         {"A": "press.relief_valve == 1"}),
        ("!(press.pressure > 3 || alarm.value > 3)", "watch.A && !(alarm.value > 3)", {"A": "!(press.pressure > 3)"}),
        ("mean(press.pressure, 10s) > 3", "watch.A", {"A": "mean(press.pressure, 10s) > 3"}),
        ("alarm.name == 'a'", "alarm.name == 'a'", {}),
    ],
)  # fmt: skip
def test_what_is_said_about_points_is_watched(
    tmp_path: Path, said: str, text: str, watches: dict[str, str]
) -> None:
    book = one(tmp_path, f'{{if: "{said}", then: [{{delay: 1s}}]}}')
    (choose,) = acts(book)
    ids = list(book.watches)
    assert choose.cases[0].condition == Condition(text.replace("A", *ids) if ids else text, said)
    assert [w.text for w in book.watches.values()] == list(watches.values())


def test_a_wait_may_ask_for_how_long(tmp_path: Path) -> None:
    longer = "{wait_for: press.pressure < 3, for: 2s, timeout: 30s}"
    (wait,) = acts(one(tmp_path, longer))
    book = one(tmp_path, longer, "{wait_for: press.pressure < 3, timeout: 9s}")
    assert sorted(w.for_s for w in book.watches.values()) == [0.0, 2.0]
    id_ = next(i for i, w in book.watches.items() if w.for_s)
    assert wait.condition.text == f"watch.{id_}" and book.watches[id_] == Watch("press.pressure < 3", 2.0)


def test_head_and_triggers(tmp_path: Path) -> None:
    head = """\
id: relieve
area: shop/press
trigger:
  - {incident: opened, rule: [press_*, oil], point: press.*, min_priority: high}
  - {incident: closed, after: relieve}
  - {alarm: cleared, rule: press_low}
  - {request: {role: supervisor}}
  - {schedule: {cron: "0 6 * * 1-5", zone: Europe/Berlin}}
when: press.relief_valve == 'closed'
mode: queue
most: 3
priority: 0
limit: {count: 20, per: 1h}
runs_at: plant
ends_with_incident: true
escalate_to: maintenance
consequences: [press_low]
"""
    book = one(tmp_path, "{delay: 1s}", head=head)
    assert book.triggers == (
        plan.OnIncident("opened", ("press_*", "oil"), ("press.*",), "high"),
        plan.OnIncident("closed", after=("relieve",)), plan.OnAlarm("cleared", ("press_low",)),
        plan.OnRequest("supervisor"),
        plan.OnSchedule("0 6 * * 1-5", "Europe/Berlin"),
    )  # fmt: skip
    assert (book.mode, book.most, book.priority, book.limit) == ("queue", 3, 0, plan.Limit(20, 3600.0))
    assert (book.ends_with_incident, book.escalate_to, book.consequences) == (True, "maintenance", ("press_low",))
    assert book.when is not None and list(book.watches.values()) == [Watch("press.relief_valve == 0")]


def test_a_called_playbook_is_there_with_its_steps_its_watches_and_what_it_knows(tmp_path: Path) -> None:
    called = "id: tell\narea: shop/press\nsteps:\n  - {step: ask, ask: Go?, to: anna, timeout: 1min}\n" \
             "  - {wait_for: press.pressure < 3, timeout: 1s}\n  - {set: {n: 3}}\n"  # fmt: skip
    books, errors = loaded(tmp_path, b=called, a=f"{HEAD}steps:\n  - {{call: tell}}\n"
                           "  - {if: steps.ask.answer == 'yes' && vars.n > 2, then: [{delay: 1s}]}\n")  # fmt: skip
    assert errors == []
    caller, tell = books.playbooks
    assert caller.steps[0].act == recipe.Group(tell.steps, of="tell")
    assert caller.watches == tell.watches and tell.triggers == ()


def test_a_circle_of_calls_is_told_and_takes_nobody_else_down(tmp_path: Path) -> None:
    texts = {
        a: f"id: {a}\narea: shop/press\ntrigger: {{request: {{}}}}\nsteps: [{{call: {b}}}]\n"
        for a, b in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"))
    }
    books, errors = loaded(tmp_path, **texts, good=GOOD)
    assert [b.playbook for b in books.playbooks] == ["relieve"]
    assert sum("a circle: a calls b calls c calls a" in e for e in errors) == 1 and len(errors) == 4


def test_blueprint_is_filled_in_and_what_stands_beside_use_wins(tmp_path: Path) -> None:
    use = "id: relieve_press\narea: shop/press\nuse: relief\ntitle: Mine\npriority: 70\n" \
          "with: {valve: press.relief_valve, pressure: press.pressure, high: 190.5}\n"  # fmt: skip
    books, errors = loaded(tmp_path, a=use)
    assert errors == []
    (book,) = books.playbooks
    assert (book.playbook, book.title, book.priority) == ("relieve_press", "Mine", 70)
    assert book.triggers == (plan.OnIncident("opened", ("*_pressure",)),)
    assert book.steps[0].act == recipe.Write("edge-1", "press", "press.relief_valve", 1.0, 0.0, 0.0, 1.0)
    assert list(book.watches.values()) == [Watch("press.pressure < 190.5")]
    assert book.steps[2].act == recipe.Notify("shift_lead", "Look at {area}, it was above 190.5", "high")


def test_mistake_in_a_blueprint_of_the_plant_is_told_there(tmp_path: Path) -> None:
    loaded(tmp_path)
    path = tmp_path / "blueprints" / "relief.yaml"
    path.write_text(path.read_text("utf-8").replace("{area}, it", "{aera}, it"), "utf-8")
    use = "id: a\narea: shop/press\nuse: relief\nwith: {valve: press.relief_valve, pressure: press.pressure}\n"
    (tmp_path / "playbooks" / "a.yaml").write_text(use, "utf-8")
    books, errors = load(tmp_path / "playbooks", shop_floor())
    assert books.playbooks == ()
    assert [str(e) for e in errors] == [
        "blueprints/relief.yaml:12:30: unknown placeholder 'aera', did you mean 'area'? (used by playbooks/a.yaml)"
    ]


def test_playbook_of_a_class_is_there_for_each_device(tmp_path: Path) -> None:
    text = "id: watch\nclass: hydraulic_press\ntrigger: {alarm: raised, point: '${device}.*'}\n" \
           "steps:\n  - {write: {'${device}.relief_valve': open}}\n" \
           "  - {notify: anna, text: '${device} in ${area}'}\n"  # fmt: skip
    books, errors = loaded(tmp_path, a=text)
    assert errors == []
    assert [b.playbook for b in books.playbooks] == ["watch.press", "watch.press2"]
    assert [b.writes for b in books.playbooks] == [{"press.relief_valve"}, {"press2.relief_valve"}]
    assert books.playbooks[1].steps[1].act == recipe.Notify("anna", "press2 in shop/press", "high")
    used = "id: relief\nclass: hydraulic_press\nuse: relief\n" \
           "with: {valve: '${device}.relief_valve', pressure: '${device}.pressure'}\n"  # fmt: skip
    books, errors = loaded(tmp_path, a=used)
    assert errors == [] and [b.playbook for b in books.playbooks] == ["relief.press", "relief.press2"]


def test_version_follows_the_content_and_nothing_else(tmp_path: Path) -> None:
    first, _ = loaded(tmp_path, a=GOOD)
    commented, _ = loaded(tmp_path, a=f"# a comment\n{GOOD}")
    changed, _ = loaded(tmp_path, a=GOOD.replace("retry: 2", "retry: 3"))
    assert commented.playbooks == first.playbooks
    assert changed.version != first.version and changed.playbooks[0].version != first.playbooks[0].version


def test_set_travels_as_the_body_of_a_configuration(tmp_path: Path) -> None:
    books, _ = loaded(tmp_path, a=GOOD)
    assert unpack(books.pack()) == books
    assert books.devices["press"].area == "shop/press" and "gauge" not in books.devices


def test_bad_file_does_not_take_the_others_down(tmp_path: Path) -> None:
    books, errors = loaded(tmp_path, a="id: [", b=GOOD, c=GOOD)
    assert [b.playbook for b in books.playbooks] == ["relieve"]
    assert len(errors) == 2 and "defined in playbooks/b.yaml already" in errors[1]


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = f"{HEAD}priority: 3\nwhen: alarm.valu > 3\nsteps:\n  - {{wriet: 3}}\n  - {{delay: soon}}\n" \
           "  - {if: alarm.value > 3, then: [{notify: a, text: '{area'}, {notify: a, text: '{aera}'}]}\n"  # fmt: skip
    _, errors = loaded(tmp_path, a=text)
    assert [e.split(":")[1] for e in errors] == ["5", "7", "8", "9"]


def test_rule_pattern_that_no_rule_matches_yet_is_fine(tmp_path: Path) -> None:
    books, errors = loaded(tmp_path, a=GOOD.replace("press_pressure.*", "[to_come, 'later_*']"))
    assert errors == [] and books.playbooks[0].triggers == (plan.OnIncident("opened", ("to_come", "later_*")),)


def test_consequences_follow_from_what_sets_the_playbook_off_or_the_one_it_undoes(tmp_path: Path) -> None:
    undo = "id: undo\narea: shop/press\ntrigger: {incident: resolved, after: relieve}\nsteps:\n" \
           "  - {write: {press.relief_valve: closed}}\nconsequences: [press_speed]\n"  # fmt: skip
    books, errors = loaded(tmp_path, a=GOOD + "consequences: [press_pressure.low, 'flow_*']\n", b=undo)
    assert errors == []
    assert consequences(unpack(books.pack())) == {
        "flow_*": ("press_pressure.*",),
        "press_pressure.low": ("press_pressure.*",),
        "press_speed": ("press_pressure.*",),
    }
