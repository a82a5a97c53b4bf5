"""The board's own components, registered once per server. Their code lies in `frontend/`, readable by itself."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

FRONTEND = Path(__file__).parent / "frontend"


def _read(*names: str) -> str:
    return "\n".join((FRONTEND / name).read_text("utf-8") for name in names)


def _component(*names: str) -> ComponentRenderer:
    """The last of `names` is its own; those before are parts that it shares with others."""
    files = ("common", *names)
    return st.components.v2.component(
        f"andon_{names[-1]}", css=_read(*(f"{n}.css" for n in files)), js=_read(*(f"{n}.js" for n in files))
    )


header = _component("header")
grid = _component("grid")
headline = _component("headline")
story = _component("step", "story")
handover = _component("handover")
playbooks = _component("playbooks")
trace = _component("step", "trace")
