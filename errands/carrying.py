"""Does errands, each as a task of one event loop in a thread of its own: one host that hangs holds up no other."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import assert_never
from uuid import UUID

import structlog

from errands import metrics, outcome
from errands.broker import Broker
from errands.outcome import STALE, Errand, Outcome, errand_of
from errands.store import Job, Store
from errands.web import Web
from events.errands import ErrandDone, ErrandFailed, HttpIssued, MessageIssued
from events.topics import INCIDENTS

AT_ONCE = 4
"""Calls of one host beside each other; the others wait, until it is too late to begin."""
_BEGUN = 2
_PATIENCE_S = 2.0
_LOOKUPS = 64
"""Threads that ask for addresses: a name server that hangs holds up nobody else either."""
_log = structlog.get_logger("errands.carrying")


class Carrier:
    """Attributes: failed: what ended a task for good: the process ends, or nobody would know."""

    def __init__(self, store: Store, web: Callable[[], Web], broker: Broker) -> None:
        self.failed: BaseException | None = None
        self._store, self._broker = store, broker
        self._gates: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
        self._under_way: dict[UUID, Future[None]] = {}
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_LOOKUPS, "lookup"))
        self._thread = threading.Thread(target=self._loop.run_forever, name="errands", daemon=True)
        self._thread.start()
        self._web = asyncio.run_coroutine_threadsafe(_made(web), self._loop).result()

    def look(self) -> None:
        """Begin what waits in the store and is not under way."""
        for job in self._store.waiting():
            errand = errand_of(job.issued).errand
            if errand not in self._under_way:
                self._under_way[errand] = asyncio.run_coroutine_threadsafe(self._carry(job), self._loop)

    def tend(self) -> None:
        """Forget the tasks that have ended."""
        for errand in [errand for errand, task in self._under_way.items() if task.done()]:
            self.failed = self._under_way.pop(errand).exception() or self.failed

    def stop(self) -> None:
        """What does not end soon is cut off; it begins again, once, when the process does."""
        wait(self._under_way.values(), _PATIENCE_S)
        for task in self._under_way.values():
            task.cancel()
        asyncio.run_coroutine_threadsafe(self._web.close(), self._loop).result(_PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)

    async def _carry(self, job: Job) -> None:
        fact = errand_of(job.issued)
        now = datetime.now(UTC)
        if now - job.issued.at > STALE:
            self._store.done(fact.errand)
            return
        gate = self._gates[_host(fact)]
        try:
            async with asyncio.timeout((fact.not_after - now).total_seconds()):
                await gate.acquire()
        except TimeoutError:
            self._end(job, outcome.late(fact))
            return
        try:
            self._end(job, await self._do(job, fact))
        finally:
            gate.release()

    async def _do(self, job: Job, fact: Errand) -> Outcome:
        if datetime.now(UTC) > fact.not_after:
            return outcome.late(fact)
        if job.begun >= _BEGUN:
            return ErrandFailed(
                errand=fact.errand, reason="cut off twice: nobody knows whether it was done", final=True
            )
        self._store.begin(fact.errand)
        match fact:
            case HttpIssued():
                return await self._web.call(fact)
            case MessageIssued():
                return await asyncio.wrap_future(self._broker.publish(fact))
            case _:
                assert_never(fact)

    def _end(self, job: Job, ended: Outcome) -> None:
        now, fact = datetime.now(UTC), errand_of(job.issued)
        report = outcome.report(job.issued, ended, now)
        with self._store.transaction():
            self._store.done(fact.errand)
            self._store.say(str(report.id), INCIDENTS, job.issued.area, report)
        kind = "http" if isinstance(fact, HttpIssued) else "message"
        done = isinstance(ended, ErrandDone)
        metrics.ERRANDS.labels(kind, "done" if done else "failed").inc()
        metrics.SECONDS.observe((now - job.issued.at).total_seconds())
        if isinstance(ended, ErrandFailed):
            _log.warning(
                "errand_failed", errand=str(fact.errand), run=str(fact.run), step=fact.step, reason=ended.reason
            )


def _host(fact: Errand) -> str:
    """What the gate is kept for; an address that is none has one, too."""
    return fact.url.partition("://")[2].partition("/")[0] if isinstance(fact, HttpIssued) else "mqtt"


async def _made(web: Callable[[], Web]) -> Web:
    return web()
