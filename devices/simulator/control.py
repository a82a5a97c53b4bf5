"""The control port: JSON lines over TCP on loopback, one answer per request, {"error": reason} when refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from config import duration
from devices.registers import NotRepresentableError
from devices.simulator.world import ControlError, World
from events.types import from_micros

MAX_LINE = 1 << 20


def answer(world: World, request: dict[str, Any]) -> dict[str, Any]:
    """Do one request, see `SimulatorClient` for what there is.

    Raises:
        ControlError, NotRepresentableError: it cannot be done; nothing was changed.
    """
    match request:
        case {"get": str(point)}:
            simulated, name = world.find(point)
            return {"value": simulated.memory.get(name)}
        case {"set": dict(values)} if all(type(v) in (int, float) for v in values.values()):
            world.hold(values)
        case {"release": str(point)}:
            world.release([point])
        case {"release": list(points)}:
            world.release([str(p) for p in points])
        case {"fault": str(fault)}:
            world.start_fault(fault, str(request.get("point", "")), str(request.get("device", "")))
        case {"behave": {"device": str(device), "mode": str(mode), **more}}:
            seconds = more.get("seconds", 0.4)
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
                raise ControlError(f"seconds: {seconds!r} is no number")
            world.behave(device, mode, seconds)
        case {"history": str(point)}:
            simulated, name = world.find(point)
            changes = simulated.memory.changes[name]
            return {"changes": [[from_micros(at).isoformat(timespec="microseconds"), v] for at, v in changes]}
        case {"writes": str(point)}:
            simulated, name = world.find(point)
            return {"count": simulated.memory.writes[name]}
        case {"points": True}:
            return {"points": {
                f"{name}.{p.point}": {
                    "title": p.title, "unit": p.unit, "states": p.states,
                    "every_s": duration.seconds(simulated.device.modbus.every) if simulated.device.modbus else 0.0,
                }
                for name, simulated in world.devices.items() for p in simulated.device.points
            }}
        case _:
            raise ControlError(f"not understood: {json.dumps(request)[:200]}")
    return {"ok": True}


@asynccontextmanager
async def serve(world: World, host: str, port: int) -> AsyncIterator[int]:
    """Answer control connections for the length of the block; gives the port.

    Raises:
        OSError: the port is taken.
    """
    talks: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks[writer] = asyncio.current_task()
        try:
            while line := await reader.readline():
                writer.write(json.dumps(_answer_line(world, line)).encode() + b"\n")
                await writer.drain()
        except ValueError:
            writer.write(json.dumps({"error": f"a line may have {MAX_LINE} bytes"}).encode() + b"\n")
        except ConnectionError:
            pass  # whoever asked has left
        finally:
            writer.close()
            del talks[writer]

    server = await asyncio.start_server(talk, host, port, limit=MAX_LINE)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in talks:
            writer.close()
        await asyncio.gather(*filter(None, talks.values()))


def _answer_line(world: World, line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except ValueError as error:
        return {"error": f"not JSON: {error}"}
    if not isinstance(request, dict):
        return {"error": "a request is a JSON object"}
    try:
        return answer(world, request)
    except (ControlError, NotRepresentableError) as error:
        return {"error": str(error)}
