"""Who asks: the token says it, name and role. Nothing in a request can say otherwise."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.service import service_of
from desk.tokens import Token

_bearer = HTTPBearer(auto_error=False, description="`andon token create --name anna --role operator`")
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


class NotSignedError(Exception):
    """No token, or none that holds: 401."""


class NotAllowedError(Exception):
    """The role may not ask for anything: 403."""

    def __init__(self, role: str) -> None:
        super().__init__(f"role {role} only reads")
        self.role = role


def reader(request: Request, bearer: _Bearer) -> Token:
    """Whoever has a token may read.

    Raises:
        NotSignedError: there is no token, or it does not hold.
    """
    service = service_of(request)
    token = service.tokens.who(bearer.credentials, service.clock()) if bearer is not None else None
    if token is None:
        raise NotSignedError
    return token


Reader = Annotated[Token, Depends(reader)]


def asker(token: Reader) -> Token:
    """What each role may ask for, the brain says; an auditor asks for nothing.

    Raises:
        NotAllowedError: an auditor.
    """
    if token.role == "auditor":
        raise NotAllowedError(token.role)
    return token


Asker = Annotated[Token, Depends(asker)]
