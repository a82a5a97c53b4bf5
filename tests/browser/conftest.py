"""A real headless Chromium in front of a real board server; only what the log says is scripted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class BoardServer:
    """The scripted plant's process; `plant.do(...)` steers it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.health_port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.browser.scripted_plant", str(self.port), str(self.health_port)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        self.url = f"http://127.0.0.1:{self.port}"
        deadline = monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1).read()
                return
            except (urllib.error.URLError, OSError):
                if monotonic() > deadline or self.process.poll() is not None:
                    raise
                sleep(0.1)

    def do(self, what: str, **order: Any) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"do": what, **order}) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("@"):
                return dict(json.loads(line[1:]))
        raise AssertionError("the scripted plant ended")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(10)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Headless Chromium. Not for the whole session: while playwright runs, no other test can run an event loop."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium: run tests/need_chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server() -> Iterator[BoardServer]:
    server = BoardServer()
    yield server
    server.close()


@pytest.fixture
def plant(server: BoardServer) -> BoardServer:
    """An empty plant whose readings arrive, behind a server that all tests share."""
    server.do("reset")
    return server


@pytest.fixture
def mortal_plant() -> Iterator[BoardServer]:
    """A plant behind a server of its own, to be killed."""
    server = BoardServer()
    yield server
    server.close()


@pytest.fixture
def console_errors() -> list[str]:
    """What the browser's console shows as errors. A test that kills its server clears it afterwards."""
    return []


@pytest.fixture
def page(chromium: Browser, console_errors: list[str]) -> Iterator[Page]:
    """A page whose test fails when the console shows an error."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.on("console", lambda m: console_errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: console_errors.append(str(e)))
    yield page
    context.close()
    assert console_errors == []
