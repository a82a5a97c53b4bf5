"""The services that `andon up` can start itself: Kafka, TimescaleDB, mosquitto. No root, no Docker, nothing installed.

reads the archives' packages and the instance's ports and passwords; writes <home>/kafka, <home>/timescale,
<home>/mosquitto, and the programs in <home>/runtime (or $ANDON_RUNTIME).
"""
