"""What lay at a place of an inbox, in words: on which input two tellings part."""

from __future__ import annotations

import msgspec

from eventlog.given import Decided, Input
from eventlog.inboxes import Inboxes
from eventlog.log import Key
from eventlog.stretch import Item, Scans, Ticks
from events.codec import decode_record
from events.envelope import Configure, Reported
from events.requests import Request
from events.types import from_micros


def describe(inboxes: Inboxes, key: Key, offset: int) -> str:
    """"" where nothing lies there."""
    lies = (item for stretch in inboxes.read(key, offset, offset + 1) for item in stretch.items())
    return next(map(_words, lies), "")


def _words(item: Item) -> str:
    match item[1]:
        case Ticks(micros=micros):
            return f"the tick of {from_micros(int(micros[0])):%H:%M:%S}"
        case Scans(block=block, first=first):
            return f"readings of {block.device} of {from_micros(int(block.times[first])):%H:%M:%S.%f}"[:-3]
        case Decided(cause=cause):
            return f"what the stage before said on its input {cause}"
        case Input(body=body):
            return _record(body)


def _record(body: bytes) -> str:
    try:
        record = decode_record(body)
    except msgspec.MsgspecError:
        return "bytes that nobody can read"
    match record:
        case Request(by=by, body=asked):
            return f"{by} asks: {str(asked.__struct_config__.tag).replace('_', ' ')}"
        case Reported(source=source, sequence=number):
            return f"report {number} of {source}"
        case Configure(version=version, by=by):
            return f"version {version} of the files, by {by}"
        case _:
            return type(record).__name__.lower()
