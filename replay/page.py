"""The report as one HTML page that needs nothing else: no script, no network. Plots are drawn here as SVG. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from html import escape

from events.types import EPOCH
from replay.compare import Comparison, Parting
from replay.figures import Figures

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2833; --dim: #5c6b79; --line: #d9e0e6; --paper: #fff; --soft: #f3f6f8;
  --then: #8a99a8; --now: #1769b5; --good: #1b7a43; --bad: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #e3ebf2; --dim: #9db0c1; --line: #2c3945; --paper: #12181e;
  --soft: #1a222a; --then: #7b8c9c; --now: #5aa9e6; --good: #5fc58a; --bad: #ff8a80 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 68rem;
  margin: 2rem auto; padding: 0 1.5rem }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem }
p, li { max-width: 60rem } .dim { color: var(--dim) } .verdict { font-size: 1.1rem; margin: 1rem 0 }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .3rem .8rem .3rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top } th { color: var(--dim); font-weight: 500 }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.good { color: var(--good) } .bad { color: var(--bad) }
figure { margin: 0; background: var(--soft); border-radius: 6px; padding: .8rem } svg { width: 100%; height: auto }
svg text { font: 12px system-ui, sans-serif; fill: var(--dim) } .then { fill: var(--then) } .now { fill: var(--now) }
.axis { stroke: var(--line) } .sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem }
.sides > div { background: var(--soft); border-radius: 6px; padding: .6rem .9rem } code { font-size: .92em }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .35em }
"""
_WIDTH, _HEIGHT, _LEFT, _FOOT = 960, 170, 44, 22


def page(c: Comparison) -> str:
    """The whole document."""
    span = f"{_when(c.since)} to {_when(c.until)} UTC"
    parts = [
        f"<h1>What if: {escape(c.after.name)}</h1>",
        f'<p class="dim">{span}, compared with {escape(c.before.name)}.'
        f" Decided again from {_began(c)} on.</p>",
        f'<p class="verdict">{escape(verdict(c))}</p>',
        _numbers(c), _alarms(c), _floods(c), _incidents(c), _commands(c),
        _parting("Where they part first", c.first), _parting("The first command that differs", c.command),
        _list("Assumed", c.assumed, "No device and no person answered this in history: it was taken as done at once."),
        _list("To know", c.notes, ""),
    ]  # fmt: skip
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>What if: {escape(c.after.name)}, {span}</title><style>{_STYLE}</style>{''.join(parts)}</html>\n"
    )


def verdict(c: Comparison) -> str:
    """In a sentence."""
    if c.same:
        return "Nothing differs: the same events, with the same ids, at the same times."
    parts = [
        f"incidents: {len(c.added)} added, {len(c.lost)} lost, {len(c.moved)} moved in time",
        f"commands: {len(c.commands_added)} added, {len(c.commands_lost)} lost",
        f"alarms: {_difference(c.before.alarms, c.after.alarms) or 'as many'}",
        f"minutes of flood: {_difference(c.before.flood_minutes, c.after.flood_minutes, 1) or 'as many'}",
    ]
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def rows(c: Comparison) -> list[tuple[str, str, str, str]]:
    """The numbers: what, before, after, difference."""
    positions = sorted({*c.before.by_position, *c.after.by_position})
    by_position = [
        _row(f"· {name}", c.before.by_position.get(name, 0.0), c.after.by_position.get(name, 0.0), 2)
        for name in positions
    ]
    return [
        _row("Alarms shown", c.before.alarms, c.after.alarms),
        _row("Alarms an hour", c.before.an_hour, c.after.an_hour, 2),
        *by_position,
        _row("Most in 10 minutes", c.before.busiest, c.after.busiest),
        _row("Minutes of flood", c.before.flood_minutes, c.after.flood_minutes, 1),
        _row("Incidents", len(c.before.incidents), len(c.after.incidents)),
        _row("Commands", len(c.before.commands), len(c.after.commands)),
    ]


def _row(what: str, before: float, after: float, digits: int = 0) -> tuple[str, str, str, str]:
    return what, f"{before:,.{digits}f}", f"{after:,.{digits}f}", _difference(before, after, digits)


def _difference(before: float, after: float, digits: int = 0) -> str:
    """"" where none is seen."""
    more = round(after - before, digits)
    return _signed(more, digits) if more else ""


def _numbers(c: Comparison) -> str:
    body = "".join(
        f'<tr><td>{escape(what)}<td class="n">{a}<td class="n">{b}<td class="n">{d}' for what, a, b, d in rows(c)
    )
    return (
        f'<table><tr><th><th class="n">{_key("then")}{escape(c.before.name)}<th class="n">{_key("now")}'
        f'{escape(c.after.name)}<th class="n">difference{body}</table>'
    )


def _alarms(c: Comparison) -> str:
    """Bars, an hour each, the two side by side."""
    begin = c.since.replace(minute=0, second=0, microsecond=0)
    hours = [begin + timedelta(hours=i) for i in range(math.ceil((c.until - begin) / timedelta(hours=1)))]
    pairs = [tuple(f.by_hour.get(h.isoformat(), 0) for f in (c.before, c.after)) for h in hours]
    label = "%H:%M" if len(hours) <= 24 else "%d %b %H:%M"
    most = max((n for pair in pairs for n in pair), default=0) or 1
    each = (_WIDTH - _LEFT) / len(hours)
    bar = min(each * 0.42, 60)
    shapes = [_axis(0, "0"), _axis(most, str(most), most)]
    for i, (hour, pair) in enumerate(zip(hours, pairs, strict=True)):
        x = _LEFT + each * (i + 0.5)
        for shift, kind, n in ((-bar, "then", pair[0]), (0.0, "now", pair[1])):
            height = (_HEIGHT - _FOOT - 12) * n / most
            shapes.append(
                f'<rect class="{kind}" x="{x + shift:.1f}" y="{_HEIGHT - _FOOT - height:.1f}" width="{bar:.1f}"'
                f' height="{height:.1f}"><title>{_when(hour)}: {n}</title></rect>'
            )
        if i % max(1, len(hours) // 12) == 0:
            shapes.append(f'<text x="{x:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">{hour:{label}}</text>')
    return f"<h2>Alarms by hour</h2><figure>{_svg(shapes, _HEIGHT)}</figure>"


def _floods(c: Comparison) -> str:
    """A line of time for each: floods as bars, incidents as marks."""
    shapes: list[str] = []
    for y, kind, figures in ((20, "then", c.before), (62, "now", c.after)):
        shapes.append(f'<text x="0" y="{y + 12}">{"before" if kind == "then" else "after"}</text>')
        shapes.append(f'<line class="axis" x1="{_LEFT + 14}" x2="{_WIDTH}" y1="{y + 18}" y2="{y + 18}"/>')
        shapes += _spans(c, figures, kind, y)
    shapes.append(f'<text x="{_LEFT + 14}" y="104">{_when(c.since)}</text>')
    shapes.append(f'<text x="{_WIDTH}" y="104" text-anchor="end">{_when(c.until)}</text>')
    return f"<h2>Floods (bars) and incidents (marks)</h2><figure>{_svg(shapes, 110)}</figure>"


def _spans(c: Comparison, figures: Figures, kind: str, y: int) -> Iterable[str]:
    whole = max((c.until - c.since).total_seconds(), 1e-9)

    def x(at: datetime) -> float:
        share = min(max((at - c.since).total_seconds() / whole, 0.0), 1.0)
        return _LEFT + 14 + (_WIDTH - _LEFT - 14) * share

    for scope, begin, end in figures.floods:
        yield (
            f'<rect class="{kind}" opacity=".35" x="{x(begin):.1f}" y="{y}" width="{max(x(end) - x(begin), 2):.1f}"'
            f' height="18"><title>flood of {escape(scope)}, {_when(begin)} to {_when(end)}</title></rect>'
        )
    for i in figures.incidents:
        yield (
            f'<circle class="{kind}" cx="{x(i.opened_at):.1f}" cy="{y + 18}" r="4">'
            f"<title>{_when(i.opened_at)} {escape(i.title)}</title></circle>"
        )


def _incidents(c: Comparison) -> str:
    lines = [(f"+ {_when(i.opened_at)}", "bad", i, "") for i in c.added]
    lines += [(f"− {_when(i.opened_at)}", "good", i, "") for i in c.lost]
    lines += [(f"{_when(m.incident.opened_at)}", "", m.incident, f"{_signed(m.seconds, 1)} s") for m in c.moved]
    body = "".join(
        f'<tr><td class="{colour}">{when}<td>{escape(i.area)}<td>{escape(i.priority)}<td>{escape(i.title)}'
        f'<td class="n">{moved}' for when, colour, i, moved in lines
    )  # fmt: skip
    head = "<tr><th>opened<th>area<th>priority<th>incident<th>moved"
    return "<h2>Incidents: added, lost, moved</h2>" + (f"<table>{head}{body}</table>" if lines else _none())


def _commands(c: Comparison) -> str:
    more, less = {x.command for x in c.commands_added}, {x.command for x in c.commands_lost}
    every = [(x, "+ " if x.command in more else "", "bad" if x.command in more else "") for x in c.after.commands]
    every += [(x, "− ", "good") for x in c.before.commands if x.command in less]
    every.sort(key=lambda line: line[0].at)
    body = "".join(
        f'<tr><td class="{colour}">{sign}{_when(x.at)}<td>{escape(x.area)}<td>{escape(str(x))}'
        for x, sign, colour in every
    )
    table = f"<table><tr><th>at<th>area<th>command{body}</table>" if every else _none()
    key = f"+ only {c.after.name}, − only {c.before.name}"
    return f'<h2>Every command that would have gone out</h2><p class="dim">{escape(key)}</p>{table}'


def _parting(title: str, parting: Parting | None) -> str:
    if parting is None:
        return ""
    sides = "".join(
        f"<div><strong>{name}</strong>{_items(lines) if lines else '<p class=dim>said nothing</p>'}</div>"
        for name, lines in (("Before", parting.before), ("After", parting.after))
    )
    because = f"<p>It follows from:</p>{_items(parting.because)}" if parting.because else ""
    return (
        f"<h2>{escape(title)}</h2><p>{_when(parting.at)}, on input {parting.offset} of"
        f' <code>{escape(parting.stage)}</code>: {escape(parting.input)}</p><div class="sides">{sides}</div>{because}'
    )


def _list(title: str, lines: Sequence[str], why: str) -> str:
    return f"<h2>{title}</h2><p>{why}</p>{_items(lines)}" if lines else ""


def _items(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}' for line in lines)}</ul>"


def _none() -> str:
    return '<p class="dim">none</p>'


def _key(kind: str) -> str:
    return f'<span class="key" style="background: var(--{kind})"></span>'


def _svg(shapes: Iterable[str], height: int) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img">{"".join(shapes)}</svg>'


def _axis(value: float, text: str, most: float = 1) -> str:
    y = _HEIGHT - _FOOT - (_HEIGHT - _FOOT - 12) * value / most
    return (
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    )


def _began(c: Comparison) -> str:
    return _when(c.began) if c.began > EPOCH else "the log's first day"


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _signed(value: float, digits: int = 0) -> str:
    return f"{value:+,.{digits}f}".replace("-", "−")
