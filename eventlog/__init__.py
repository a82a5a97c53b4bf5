"""The append-only log: a Protocol, memory and TimescaleDB. Reads every topic, writes the database.

`intake` turns Kafka records into a batch (pure), a log appends the batch (one transaction: events, scans, projections,
positions), `writer` is the process that does this for ever.
"""
