"""The plant: areas with their home, devices with their points. Read from `plant.yaml` and `points/*.yaml`."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from config import duration, yamlfile
from config.yamlfile import ConfigError, Document
from expressions import Expr, NameType, Problem, Window, names, parse, resolve
from expressions.ast import Name, walk

Table = Literal["coil", "discrete", "holding", "input"]
NumberType = Literal["bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
REGISTERS: dict[NumberType, int] = {
    "bool": 1, "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "int64": 4, "uint64": 4, "float32": 2, "float64": 4,
}


class Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what is read from YAML."""


class Area(Strict, frozen=True, kw_only=True):
    """Attributes: area: its path, "site/line/cell"; home: who decides for it; edge: the box, if home."""

    area: str
    title: str = ""
    home: Literal["plant", "edge"] = "plant"
    edge: str = ""


class Source(Strict, frozen=True, kw_only=True):
    """An MQTT subscription of the bridge for gateways and devices that speak no frames."""

    topic: str
    format: Literal["neuron", "plain"]


class PlantFile(Strict, frozen=True, kw_only=True):
    plant: str
    areas: list[Area]
    sources: list[Source] = []
    late_after: str = "60s"
    """Readings that arrive later than this are history: they open no new action."""


class Register(Strict, frozen=True, kw_only=True):
    """Attributes: table, address: 0-based; type, word_order: how the number lies in the registers ('big': high word
    first); bit: which bit of a 16-bit register, for type bool in a holding or input register."""

    table: Table
    address: int
    type: NumberType = "uint16"
    word_order: Literal["big", "little"] = "big"
    bit: int | None = None

    @property
    def count(self) -> int:
        return REGISTERS[self.type]


class Writable(Strict, frozen=True, kw_only=True):
    """Attributes: range: allowed values [unit]; tolerance: of the read-back [unit]; every: at most one write in that
    time; read_back_within: how long the device may take until the register shows the new value; interlock: expression
    over points of the same edge that is true at the devices whenever the point is written, by whomever. "": none."""

    range: tuple[float, float]
    tolerance: float = 0.0
    every: str = "0s"
    read_back_within: str = "1s"
    interlock: str = ""


class Point(Strict, frozen=True, kw_only=True):
    """Attributes: point: short name, "pressure" (known elsewhere as "press.pressure"); value = raw * scale + offset
    [unit]; range: outside it the quality is BAD; states: names of a discrete point's values."""

    point: str
    title: str = ""
    unit: str = ""
    register: Register | None = None
    scale: float = 1.0
    offset: float = 0.0
    range: tuple[float, float] | None = None
    states: dict[str, int] = {}
    writable: Writable | None = None


class Modbus(Strict, frozen=True, kw_only=True):
    host: str = "127.0.0.1"
    port: int = 502
    unit: int = 1
    every: str = "100ms"
    timeout: str = "1s"


class Limit(Strict, frozen=True, kw_only=True):
    """At most `count` within `per`, a duration."""

    count: int
    per: str


class Device(Strict, frozen=True, kw_only=True):
    """One file of `points/`.

    Attributes:
        edge: the box that holds the session; "" for devices that come over MQTT.
        class_: what kind of machine it is: playbooks written for the class are there for each device of it.
        max_commands: that playbooks may give it.
    """

    device: str
    area: str
    title: str = ""
    edge: str = ""
    class_: str = msgspec.field(default="", name="class")
    max_commands: Limit | None = None
    modbus: Modbus | None = None
    points: list[Point]

    @property
    def names(self) -> tuple[str, ...]:
        """(m,) full names in file order: the columns of the device's frames."""
        return tuple(f"{self.device}.{p.point}" for p in self.points)

    def point(self, full: str) -> Point | None:
        """The point with that full name."""
        return next((p for p in self.points if f"{self.device}.{p.point}" == full), None)


class Plant(Struct, frozen=True, dict=True):
    """All that the files say: for every process. Attributes: points: full name -> (device, point); made once."""

    name: str
    late_after_s: float
    areas: dict[str, Area]
    sources: list[Source]
    devices: dict[str, Device]

    @cached_property
    def points(self) -> dict[str, tuple[Device, Point]]:
        return {f"{d.device}.{p.point}": (d, p) for d in self.devices.values() for p in d.points}


def load_plant(folder: Path) -> tuple[Plant, list[ConfigError]]:
    """The plant in `folder`, with the files that can be used, and an error for each that cannot.

    Raises:
        ConfigError: `plant.yaml` itself cannot be used.
    """
    document = yamlfile.read(folder / "plant.yaml", folder)
    head = document.into(PlantFile)
    errors: list[ConfigError] = []
    areas = {a.area: a for a in head.areas}
    if len(areas) != len(head.areas):
        raise document.error("$.areas", "an area stands twice")
    for i, a in enumerate(head.areas):
        if (a.home == "edge") != bool(a.edge):
            raise document.error(f"$.areas[{i}]", "home: edge needs edge: NAME, and only that")
    devices: dict[str, Device] = {}
    documents: dict[str, Document] = {}
    for path in sorted((folder / "points").glob("*.y*ml")):
        try:
            points = yamlfile.read(path, folder)
            device = points.into(Device)
            _check(points, device, areas, devices)
        except ConfigError as error:
            errors.append(error)
        else:
            devices[device.device], documents[device.device] = device, points
    complete = not errors
    for name, document in documents.items():
        errors += _bad_interlocks(document, devices[name], devices, complete=complete)
    return Plant(head.plant, duration.seconds(head.late_after), areas, head.sources, devices), errors


def _check(document: Document, device: Device, areas: dict[str, Area], known: dict[str, Device]) -> None:
    """What types cannot say.

    Raises:
        ConfigError: at the first place that is wrong.
    """
    if device.area not in areas:
        raise document.error("$.area", f"unknown area '{device.area}', plant.yaml has {', '.join(areas)}")
    if device.device in known:
        raise document.error("$.device", f"device '{device.device}' is defined in another file already")
    if not device.points:
        raise document.error("$.points", "a device needs at least one point")
    if device.modbus and not device.edge:
        raise document.error("$.modbus", "who polls it? add edge: NAME")
    if device.class_ and not device.class_.isidentifier():
        raise document.error("$.class", f"class '{device.class_}' is no name: letters, digits and _ only")
    if device.max_commands and device.max_commands.count < 1:
        raise document.error("$.max_commands.count", "at least 1: without writable: points it gets none at all")
    _durations(document, "$.modbus", device.modbus, ("every", "timeout"))
    _durations(document, "$.max_commands", device.max_commands, ("per",))
    seen: set[str] = set()
    for i, p in enumerate(device.points):
        at = f"$.points[{i}]"
        if p.point in seen or not p.point.isidentifier():
            reason = "stands twice" if p.point in seen else "is no name: letters, digits and _ only"
            raise document.error(f"{at}.point", f"point '{p.point}' {reason}")
        seen.add(p.point)
        if device.modbus and p.register is None:
            raise document.error(at, f"point '{p.point}' of a Modbus device needs a register")
        if p.register:
            _check_register(document, f"{at}.register", p.register)
        if p.scale == 0:
            raise document.error(f"{at}.scale", "must not be 0")
        for name, r in (("range", p.range), ("writable.range", p.writable and p.writable.range)):
            if r and not r[0] < r[1]:
                raise document.error(f"{at}.{name}", f"the lower end {r[0]} is not below the upper end {r[1]}")
        if p.writable and p.register and p.register.table in ("discrete", "input"):
            raise document.error(f"{at}.writable", f"a register of table '{p.register.table}' cannot be written")
        _durations(document, f"{at}.writable", p.writable, ("every", "read_back_within"))


def _check_register(document: Document, at: str, r: Register) -> None:
    bits = r.table in ("coil", "discrete")
    if bits and r.type != "bool":
        raise document.error(at, f"table '{r.table}' holds single bits: type must be bool")
    if not bits and (r.type == "bool") != (r.bit is not None):
        raise document.error(at, "type bool in a register needs bit: 0..15, and only that")
    if r.bit is not None and not 0 <= r.bit <= 15:
        raise document.error(f"{at}.bit", "must be 0..15")
    if not 0 <= r.address <= 65536 - r.count:
        raise document.error(f"{at}.address", f"{r.address} is not within 0..65535")


def _durations(document: Document, at: str, of: Struct | None, names: tuple[str, ...]) -> None:
    for name in names if of is not None else ():
        try:
            duration.seconds(getattr(of, name))
        except ValueError as error:
            raise document.error(f"{at}.{name}", str(error)) from None


def _bad_interlocks(
    document: Document, device: Device, devices: dict[str, Device], *, complete: bool
) -> list[ConfigError]:
    """What is wrong with the interlocks of the device. It stays in the plant, and is read: only the point is not
    written, since its executor cannot check the interlock either.

    Args: complete: no file was left out, which may have what an interlock names.
    """
    if not any(p.writable and p.writable.interlock for p in device.points):
        return []
    known = readable_at(device.edge, devices.values())
    elsewhere = {full for d in devices.values() for full in d.names} - known.keys()
    found = []
    for i, p in enumerate(device.points):
        if p.writable is None or not (text := p.writable.interlock):
            continue
        try:
            mentioned = {name.split(".")[0] for name in names(parse(text))}
            if complete or mentioned <= devices.keys():
                compile_check(text, known, elsewhere)
        except Problem as problem:
            at = document.error(f"$.points[{i}].writable.interlock", problem.reason)
            place = (at.line + problem.line - 1, at.column + problem.column - 1)
            found.append(ConfigError(at.file, *place, problem.reason))
    return found


def readable_at(edge: str, devices: Iterable[Device]) -> dict[str, NameType]:
    """The points, by full name, that the executor of the edge can ask its devices for: what its checks may name."""
    own = (d for d in devices if d.modbus is not None and d.edge == edge)
    return {f"{d.device}.{p.point}": NameType(unit=p.unit, states=p.states) for d in own for p in d.points}


def compile_check(text: str, known: Mapping[str, NameType], elsewhere: Container[str] = ()) -> Expr:
    """An interlock or a precondition, as the executor evaluates it.

    Args: known: what `readable_at` gave; elsewhere: points of the plant that are not among them.

    Raises:
        Problem: the first thing that is wrong with it, and its place in the text.
    """
    tree = parse(text)
    for node, _ in walk(tree):
        if isinstance(node, Window):
            raise Problem(node.place, f"{node.key}: a device is asked once, it knows no span of time")
        if isinstance(node, Name) and node.name in elsewhere:
            reason = f"'{node.name}' cannot be asked for: the edge that writes does not read it"
            raise Problem(node.place, reason)
    expr, problems = resolve(tree, known)
    if problems:
        raise problems[0]
    if not names(expr):
        raise Problem((1, 1), "it names no point: it would never change")
    return expr


def schema(type_: type[Struct]) -> dict[str, object]:
    """JSON Schema of a file, from the model that also checks it."""
    return msgspec.json.schema(type_)
