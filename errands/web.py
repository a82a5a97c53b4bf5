"""One call of another system over HTTP, through httpx. What it gives is an outcome, whatever happens."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

import httpx
from msgspec.structs import replace

from errands.outcome import Outcome, answered
from errands.secrets import Filling, SecretError, Secrets, in_json, in_url
from events.errands import ErrandFailed, HttpIssued

LARGEST = 256 * 1024
"""Bytes of an answer that are looked at."""
REDIRECTS = 3
EXCERPT, LONGEST_TEXT = 200, 1000
"""Characters of an answer that people are shown; of a text that is saved."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Web:
    """Attributes: simulated: the plant's devices are, so that nothing but this host is called."""

    def __init__(self, secrets: Secrets, *, simulated: bool = False) -> None:
        self.simulated = simulated
        self._secrets = secrets
        self._client = httpx.AsyncClient(
            verify=ssl.create_default_context(),  # the host's authorities: a factory has its own
            trust_env=False,  # no proxy, no .netrc: a call goes where the playbook says, with what it says
            follow_redirects=False, timeout=None,
            limits=httpx.Limits(max_keepalive_connections=0),  # a connection that died meanwhile is a failed call
            headers={"User-Agent": "Andon", "Accept-Encoding": "identity"},
        )  # fmt: skip

    async def call(self, fact: HttpIssued) -> Outcome:
        filling = Filling(self._secrets)
        try:
            request = self._request(fact, filling)
        except SecretError as error:
            return _failed(fact, error.reason, final=True)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError, TypeError) as error:
            return _failed(fact, filling.hide(f"this cannot be called: {error}"), final=True)
        if self.simulated and request.url.host not in LOOPBACK:
            return _failed(fact, "the devices of this plant are simulated: no other host is called", final=True)
        try:
            async with asyncio.timeout(fact.timeout_s):
                return await self._answer(fact, request, filling)
        except TimeoutError:
            return _failed(fact, f"no answer within {fact.timeout_s:g} s")
        except (httpx.LocalProtocolError, UnicodeError) as error:
            return _failed(fact, filling.hide(f"this cannot be sent: {error}"), final=True)
        except (httpx.HTTPError, OSError) as error:
            return _failed(fact, filling.hide(f"{type(error).__name__}: {error}"))

    async def close(self) -> None:
        await self._client.aclose()

    def _request(self, fact: HttpIssued, filling: Filling) -> httpx.Request:
        headers = {name: filling.fill(value) for name, value in fact.headers.items()}
        kind = next((v for k, v in headers.items() if k.lower() == "content-type"), "")
        if fact.body and not kind:
            kind = headers["Content-Type"] = "application/json" if _is_json(fact.body) else "text/plain; charset=utf-8"
        body = filling.fill(fact.body, in_json if "json" in kind.lower() else str)
        url = filling.fill(fact.url, in_url)
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("the address does not begin with http:// or https://")
        request = self._client.build_request(fact.method, url, headers=headers, content=body.encode() if body else None)
        request.headers["Idempotency-Key"] = str(fact.key)
        return request

    async def _answer(self, fact: HttpIssued, request: httpx.Request, filling: Filling) -> Outcome:
        for _ in range(REDIRECTS):
            response = await self._client.send(request, stream=True)
            try:
                following = response.next_request
                if following is None or response.status_code in fact.expect:
                    return await _read(fact, response, filling)
                if _place(following.url) != _place(request.url):
                    return _failed(fact, f"redirected to another host, {following.url.host}: not followed", final=True)
                request = following
            finally:
                await response.aclose()
        return _failed(fact, f"redirected more than {REDIRECTS} times", final=True)


async def _read(fact: HttpIssued, response: httpx.Response, filling: Filling) -> Outcome:
    """Secrets are hidden before anything is cut: half of one is too much."""
    read = bytearray()
    async for chunk in response.aiter_bytes():
        read += chunk
        if len(read) > LARGEST:
            break
    content: Any = None
    if len(read) <= LARGEST:
        try:
            content = json.loads(read)
        except (ValueError, RecursionError):
            content = None
    text = filling.hide(read.decode("utf-8", "replace"))
    outcome = answered(fact, response.status_code, content, " ".join(text.split())[:EXCERPT])
    if isinstance(outcome, ErrandFailed):
        return outcome
    saved = {k: filling.hide(v)[:LONGEST_TEXT] if isinstance(v, str) else v for k, v in outcome.result.items()}
    return replace(outcome, result=saved)


def _place(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _failed(fact: HttpIssued, reason: str, *, final: bool = False) -> ErrandFailed:
    return ErrandFailed(errand=fact.errand, reason=reason, final=final)
