"""Talks to the simulator's control port: for the drill, for playing recordings and for tests. Blocking."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Literal

Mode = Literal["normal", "exception", "delay", "silent", "no_effect"]


class SimulatorError(Exception):
    """The simulator refused a request; its message says why."""


class SimulatorClient:
    """One connection. Not thread-safe: one client per thread.

    Raises:
        OSError: nobody listens there, or the connection broke (also from every method).
    """

    def __init__(self, host: str, port: int, timeout_s: float = 5.0) -> None:
        self._socket = socket.create_connection((host, port), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def get(self, point: str) -> float:
        """What the point's register holds now [its unit]."""
        return float(self._ask({"get": point})["value"])

    def set(self, values: Mapping[str, float]) -> None:
        """Put these points at these values, all in one instant, and keep the physics off them until released.

        A Modbus write still changes them: to simulate a device that does not obey, use `behave`.
        """
        self._ask({"set": dict(values)})

    def release(self, *points: str) -> None:
        """Let the process move these points again; none named: all that are held."""
        self._ask({"release": list(points)})

    def fault(self, fault: str, *, point: str = "", device: str = "") -> None:
        """Start a scripted fault; faults add up. "none" ends all faults, holds and behaviours; commanded values stay.

        Args:
            fault: one of `physics.Scripted`, stuck_sensor, silent or none; the refusal of another one names them all.
            point: for stuck_sensor. device: for silent.
        """
        self._ask({"fault": fault, **({"point": point} if point else {}), **({"device": device} if device else {})})

    def behave(self, device: str, mode: Mode, seconds: float = 0.4) -> None:
        """How the device answers requests from now on; `seconds` is the delay of mode "delay"."""
        self._ask({"behave": {"device": device, "mode": mode, "seconds": seconds}})

    def history(self, point: str) -> list[tuple[datetime, float]]:
        """When the point's register changed, and to what; oldest first, the last 5,000 changes."""
        return [(datetime.fromisoformat(at), float(value)) for at, value in self._ask({"history": point})["changes"]]

    def writes(self, point: str) -> int:
        """How many Modbus writes to the point were received, refused ones and those without effect included."""
        return int(self._ask({"writes": point})["count"])

    def points(self) -> dict[str, dict[str, Any]]:
        """Every simulated point: full name -> {"title", "unit", "states": {name: value}, "every_s": poll interval}."""
        answer: dict[str, dict[str, Any]] = self._ask({"points": True})["points"]
        return answer

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __enter__(self) -> SimulatorClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        line = self._file.readline()
        if not line:
            raise ConnectionResetError("the simulator closed the connection")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise SimulatorError(answer["error"])
        return answer
