"""A layer is a dict to whoever looks, in its order too, and what lies under it stays as it is until it is settled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bus.layer import Layer, settle

KEYS = st.integers(0, 5)
CHANGES = st.lists(st.tuples(st.sampled_from(["set", "delete", "pop"]), KEYS, st.integers()))


@given(st.dictionaries(KEYS, st.integers()), CHANGES)
def test_a_layer_is_a_dict_to_who_looks(under: dict[int, int], changes: list[tuple[str, int, int]]) -> None:
    before, copy = list(under.items()), dict(under)
    layer = Layer(under)
    for what, key, value in changes:
        if what == "set":
            layer[key] = copy[key] = value
        elif what == "pop":
            assert layer.pop(key, None) == copy.pop(key, None)
        elif key in copy:
            del layer[key], copy[key]
        assert list(layer.items()) == list(copy.items())
        assert list(reversed(layer)) == list(reversed(copy))
        assert len(layer) == len(copy)
        assert [layer.get(k, -1) for k in range(6)] == [copy.get(k, -1) for k in range(6)]
        assert [k in layer for k in range(6)] == [k in copy for k in range(6)]
    assert list(under.items()) == before
    settle([layer])
    assert list(under.items()) == list(copy.items()) == list(layer.items()), "as if it had been changed itself"
    layer[7] = 7
    assert 7 not in under and list(layer) == [*copy, 7], "a fresh one"
