"""Who asks: known by a token, by name and role, or as an operator by the name that is typed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import streamlit as st

from board.service import Service
from desk.tokens import Token, TokenError
from events.requests import Role


def role() -> Role:
    """As what the person may act: of the token; without one an operator, for the board listens on this machine only."""
    token: Token | None = st.session_state.get("token")
    return "operator" if token is None else token.role


def sign_in(service: Service, now: datetime) -> None:
    """A token makes a person known: by name and role. Without one the name is what is typed. A token that is revoked or
    has expired signs out at the next refresh."""
    token: Token | None = st.session_state.get("token")
    if token is not None and not _holds(service, token, now):
        token = None
        _sign_out()
    with st.popover(f"{token.name}, {token.role}" if token else "Sign in", key="sign_in", width="stretch"):
        if token is not None:
            st.button("Sign out", on_click=_sign_out)
            return
        with st.form("sign in", border=False):
            secret = st.text_input("Token", type="password", max_chars=200, help="andon token create --help")
            pressed = st.form_submit_button("Sign in")
        if not pressed or service.tokens is None:
            return
        try:
            token = service.tokens.who(secret.strip(), now)
        except TokenError as error:
            st.caption(str(error))
            return
        if token is None:
            st.caption("Nobody has this token, or it has expired.")
            return
        st.session_state.update(token=token, operator=token.name)
        st.rerun(scope="fragment")


def _holds(service: Service, token: Token, now: datetime) -> bool:
    try:
        return service.tokens is not None and token in service.tokens.all() and token.holds(now)
    except TokenError:
        return False


def _sign_out() -> None:
    for name in ("token", "operator"):
        st.session_state.pop(name, None)


def name(key: str, at: Any) -> str:
    """The name that signs: of the token, or what the person types."""
    token: Token | None = st.session_state.get("token")
    if token is not None:
        at.text_input("Your name", value=token.name, key=f"signed {key} {token.name}", disabled=True)
        return token.name
    typed: str = at.text_input("Your name", value=st.session_state.get("operator", ""), key=f"name {key}", max_chars=60)
    return typed.strip()


def remember(typed: str) -> None:
    """What the next form begins with."""
    st.session_state["operator"] = typed
