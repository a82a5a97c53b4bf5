"""Ids are what the logs of earlier releases say they are."""

from __future__ import annotations

from uuid import uuid5

from hypothesis import given
from hypothesis import strategies as st

from events.types import NAMESPACE, make_id

WORDS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(WORDS | st.integers()))
def test_an_id_is_the_uuid5_of_its_parts(parts: list[str | int]) -> None:
    assert make_id(*parts) == uuid5(NAMESPACE, "|".join(map(str, parts)))
