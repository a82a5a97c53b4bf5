"""Reads the event log, writes nothing: what stands now (`live`), everything about one incident (`trace`)."""
