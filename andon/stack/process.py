"""A child process that dies with us: also when we are killed with -9 (Linux: PR_SET_PDEATHSIG)."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from andon.stack.accounts import Account
from andon.stack.errors import PortTakenError

LOG_LIMIT_BYTES = 10_000_000
"""A log larger than this is set aside as NAME.log.1 when its process starts again."""

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, kw_only=True)
class Command:
    """How one program is started and stopped.

    Attributes:
        log: receives stdout and stderr, appended.
        stop_signal: asks for a clean end; also what the kernel sends when we die.
        env: the whole environment; None means ours.
        account: to run as; None means ours.
    """

    name: str
    argv: tuple[str, ...]
    cwd: Path
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    env: Mapping[str, str] | None = None
    account: Account | None = None


class Child:
    """A running (or ended) child of this process, the leader of its own session."""

    def __init__(self, command: Command, popen: subprocess.Popen[bytes]) -> None:
        self.command = command
        self.pid = popen.pid
        self.ticks = start_ticks(popen.pid)
        self._popen = popen

    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number when a signal ended it."""
        return self._popen.poll()

    def send(self, number: signal.Signals) -> None:
        """A signal to the process itself, if it still runs."""
        if self.exit_code() is None:
            self._popen.send_signal(number)

    def ask_to_stop(self) -> None:
        self.send(self.command.stop_signal)

    def kill(self) -> None:
        """SIGKILL to its whole session's process group, so that nothing it started is left."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # ended by itself meanwhile, and so did all of its group
        self._popen.wait()

    def stop(self, timeout_s: float) -> int:
        """Ask, wait, kill; the exit code."""
        self.ask_to_stop()
        try:
            self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            pass
        self.kill()
        return self._popen.returncode


def spawn(command: Command) -> Child:
    """Start `command` now; returns without waiting for it to be ready.

    Call this from a thread that lives as long as the child should: the kernel's death signal follows the *thread*
    that forked, so the supervisor spawns from its main thread only.
    """
    command.log.parent.mkdir(parents=True, exist_ok=True)
    if command.log.exists() and command.log.stat().st_size > LOG_LIMIT_BYTES:
        command.log.replace(command.log.with_suffix(".log.1"))
    account = command.account
    with command.log.open("ab") as log:
        popen = subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=None if command.env is None else dict(command.env),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in a terminal reaches the supervisor alone, which stops in order
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=_die_with(os.getpid(), command.stop_signal),  # noqa: PLW1509  see _die_with
        )
    return Child(command, popen)


def _die_with(parent: int, stop_signal: signal.Signals) -> Callable[[], None]:
    # Runs in the child after the change of account (a change of uid would clear the death signal), before exec.
    # Nothing in it takes a lock or allocates much: other threads may have been in the middle of something at the fork.
    def arm() -> None:
        if _libc.prctl(_PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(126)

    return arm


def stop_all(children: Iterable[Child], timeout_s: float = 10.0) -> None:
    """Ask all, the last started first, then wait for each; kill what does not end in time."""
    order = list(children)[::-1]
    for child in order:
        child.ask_to_stop()
    deadline = time.monotonic() + timeout_s
    for child in order:
        child.stop(max(0.1, deadline - time.monotonic()))


def start_ticks(pid: int) -> str:
    """When `pid` started, in kernel ticks: tells it from a later process with the same number. '' when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if stat[0] in "ZX" else stat[19]


def end_processes(left: Mapping[int, tuple[str, signal.Signals]], timeout_s: float = 8.0) -> None:
    """End processes that are not our children, all at the same time: ask, wait, kill.

    Args:
        left: pid → (its start ticks, the signal to ask with). A pid that now belongs to another process is left alone.
    """
    ours = {pid: (ticks, ask) for pid, (ticks, ask) in left.items() if ticks and start_ticks(pid) == ticks}
    for pid, (_, ask) in ours.items():
        os.kill(pid, ask)
    deadline = time.monotonic() + timeout_s
    while remaining := [pid for pid, (ticks, _) in ours.items() if start_ticks(pid) == ticks]:
        if time.monotonic() > deadline:
            for pid in remaining:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as s:
        s.settimeout(1.0)
        return s.connect_ex((host, port)) == 0


def require_free(port: int, service: str) -> None:
    """Check that `port` can be listened on.

    Raises:
        PortTakenError: it cannot.
    """
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of a killed predecessor linger
        try:
            s.bind(("127.0.0.1", port))
        except OSError as e:
            raise PortTakenError(service, port) from e


def tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log, '' when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as f:
        f.seek(max(0, log.stat().st_size - 8192))
        return "\n".join(f.read().decode(errors="replace").splitlines()[-lines:])
