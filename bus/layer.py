"""Changes over a mapping that stays as it is: to think ahead costs nothing, however much stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, TypeVar, cast, overload

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


_ABSENT: Any = object()


class Layer(MutableMapping[K, V]):
    """What lies `under` must not change while it is used, but by `settle`. In the order of a dict: keys as below, then
    the new ones; one that was deleted and is set again is new.

    Looked up as seldom as it goes: most keys are UUIDs, whose hash is computed anew each time.
    """

    __slots__ = ("_changes", "_gone", "_under")

    def __init__(self, under: MutableMapping[K, V]) -> None:
        self._under = under
        self._changes: dict[K, V] = {}
        self._gone: set[K] = set()
        """Keys below that were deleted, set again or not."""

    def __getitem__(self, key: K) -> V:
        found: V = self.get(key, _ABSENT)
        if found is _ABSENT:
            raise KeyError(key)
        return found

    @overload
    def get(self, key: K, default: None = None, /) -> V | None: ...

    @overload
    def get(self, key: K, default: V | T, /) -> V | T: ...

    def get(self, key: K, default: Any = None, /) -> Any:
        if self._changes and (found := self._changes.get(key, _ABSENT)) is not _ABSENT:
            return found
        return default if self._gone and key in self._gone else self._under.get(key, default)

    def __contains__(self, key: object) -> bool:
        if self._changes and key in self._changes:
            return True
        return key in self._under and key not in self._gone

    def __setitem__(self, key: K, value: V) -> None:
        self._changes[key] = value

    def __delitem__(self, key: K) -> None:
        changed = self._changes.pop(key, _ABSENT) is not _ABSENT
        if key in self._under and key not in self._gone:
            self._gone.add(key)
        elif not changed:
            raise KeyError(key)

    def pop(self, key: K, default: Any = _ABSENT, /) -> Any:
        found = self.get(key, _ABSENT)
        if found is not _ABSENT:
            del self[key]
        elif default is _ABSENT:
            raise KeyError(key)
        else:
            found = default
        return found

    def __iter__(self) -> Iterator[K]:
        yield from (k for k in self._under if k not in self._gone)
        yield from [k for k in self._changes if self._is_new(k)]

    def __reversed__(self) -> Iterator[K]:
        yield from [k for k in reversed(self._changes) if self._is_new(k)]
        under = cast("dict[K, V]", self._under)  # or another layer, which can be read backwards too
        yield from (k for k in reversed(under) if k not in self._gone)

    def __len__(self) -> int:
        return len(self._under) - len(self._gone) + sum(map(self._is_new, self._changes))

    def _is_new(self, key: K) -> bool:
        return key in self._gone or key not in self._under


def layers(*mappings: MutableMapping[Any, Any]) -> tuple[Layer[Any, Any], ...]:
    """One over each."""
    return tuple(Layer(m) for m in mappings)


def settle(changed: Iterable[Layer[Any, Any]]) -> None:
    """Make the changes of these layers in what lies under them; they have none then."""
    for layer in changed:
        if layer._gone:
            for key in layer._gone:
                del layer._under[key]
            layer._gone.clear()
        if layer._changes:
            layer._under.update(layer._changes)
            layer._changes.clear()
