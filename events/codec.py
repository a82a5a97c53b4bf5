"""Bytes on the wire and back. Deterministic: the same record always gives the same bytes."""

from __future__ import annotations

import msgspec

from events.envelope import DeadLetter, Event, Fact, Record

encode = msgspec.msgpack.Encoder().encode
"""msgpack, for Kafka and for frames over MQTT."""

decode_record = msgspec.msgpack.Decoder(Record).decode
decode_event = msgspec.msgpack.Decoder(Event).decode
decode_dead_letter = msgspec.msgpack.Decoder(DeadLetter).decode

encode_json = msgspec.json.Encoder().encode
"""JSON, for people and for the log's payload column."""

decode_fact_json = msgspec.json.Decoder(Fact).decode
