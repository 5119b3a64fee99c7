"""Who may ask the studio for anything: pages of its own, from this machine, or whoever has the shared link.

A web page elsewhere must neither read runs nor start work. So every request has to name the studio itself as its host
(no name that an attacker can point at 127.0.0.1), every request of a script has to come from a page of the studio, and
whatever is not only read needs the token that its pages hold.
"""

from __future__ import annotations

import hmac
import re
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steadygan.errors import SteadyganError
from steadygan.web.page import trouble
from steadygan.web.studio import Studio

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
MOST = 1_000_000
"""Bytes that a request may bring."""
MOST_OF_A_PHOTO = 20_000_000
"""The same of addresses that end in `/photo`."""
_LOCAL = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)


class _TooLarge(Exception):
    """More came than was announced."""


class _Answering:
    """An answer on its way, with the headers that all have; `begun` once it cannot become another."""

    def __init__(self, send: Send, cookie: str) -> None:
        self.send, self.cookie, self.begun = send, cookie, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if self.cookie:
                headers.append("set-cookie", self.cookie)
        await self.send(message)


class Guard:
    """ASGI middleware around everything; errors become one line here, too."""

    def __init__(self, app: ASGIApp, studio: Studio) -> None:
        self.app, self.studio = app, studio

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":  # a web socket is nobody's
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        invited = self.studio.share and self._knows(parse_qs(scope["query_string"].decode("latin-1")).get("token"))
        answer = _Answering(
            send, f"{_cookie_of(scope)}={self.studio.token}; HttpOnly; SameSite=Strict; Path=/" * invited
        )
        code, line = self._refusal(scope, headers, invited)
        try:
            if not code:
                await self.app(scope, _limited(receive, _most(scope["path"])), answer)
        except _TooLarge:
            code, line = 413, f"that is more than {_most(scope['path']) // 1_000_000} MB; send less"
        except SteadyganError as problem:
            code, line = 400, str(problem)
        except Exception as problem:  # noqa: BLE001 - the last line of defence: a bug is said in one line, too
            code, line = 500, f"{type(problem).__name__}: {problem} (this is a bug of the studio)"
        if code and not answer.begun:
            await trouble(self.studio, scope["path"], code, line)(scope, receive, answer)

    def _refusal(self, scope: Scope, headers: Headers, invited: bool) -> tuple[int, str]:
        """Why a request is not answered; 0 if it is."""
        host, length, most = headers.get("host", ""), headers.get("content-length", "0"), _most(scope["path"])
        here = f"{scope['scheme']}://{host}".lower()
        public = scope["path"].startswith("/assets/")  # by which the refusal itself is shown; they are in every package
        unsafe = scope["method"] not in ("GET", "HEAD")
        reasons = (
            (
                not self.studio.share and not _LOCAL.fullmatch(host),
                (421, "this studio answers only on this machine, as 127.0.0.1; start it with --share for others"),
            ),
            (headers.get("origin", here).lower() != here, (403, "another page may not ask the studio for anything")),
            (
                self.studio.share
                and not public
                and not invited
                and not self._knows([cookie_parser(headers.get("cookie", "")).get(_cookie_of(scope), "")]),
                (401, "open the whole link that `steadygan studio --share` printed; a restart makes another"),
            ),
            (
                not length.isdecimal() or int(length[:18]) > most,
                (413, f"that is more than {most // 1_000_000} MB; send less"),
            ),
            (
                unsafe and headers.get("sec-fetch-site", "same-origin") != "same-origin",
                (403, "another page may not start anything here"),
            ),
            (
                unsafe and not self._knows([headers.get("x-studio-token", "")]),
                (403, "the studio was restarted since this page was opened; reload the page"),
            ),
        )
        return next((answer for holds, answer in reasons if holds), (0, ""))

    def _knows(self, tokens: list[str] | None) -> bool:
        """Whether any of these is the token, compared in the same time whatever they are."""
        return any(hmac.compare_digest(one.encode(), self.studio.token.encode()) for one in tokens or ())


def _cookie_of(scope: Scope) -> str:
    """The name of the cookie, with the port: all servers of a machine share their cookies, and two may be studios."""
    return f"steadygan-studio-{scope['server'][1]}"


def _most(path: str) -> int:
    return MOST_OF_A_PHOTO if path.endswith("/photo") else MOST


def _limited(receive: Receive, most: int) -> Receive:
    """The same body, refused where it is longer than its header said or any may be."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise _TooLarge
        return message

    return counted
