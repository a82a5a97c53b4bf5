"""Device -> readings on the bus, and commands back: the only package that speaks to the MQTT broker for the plant.

bridge      reads MQTT (edges, gateways, plain devices) and HTTP; writes readings, incidents, mirrors, deadletter,
            ledger
dispatcher  reads commands; writes MQTT (to the edges) and incidents (what could not be sent)

`roster`, `intake`, `gateway`, `gather`, `ledger` are pure; `bridge`, `link`, `kafka_side`, `dispatcher`, `http` do I/O.
"""
