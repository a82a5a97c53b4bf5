"""Rates, latencies and memory on this machine: `make bench`. Reads nothing of a running plant, starts its own.

Everything goes through the product as it is: `andon up`, real MQTT, Kafka and TimescaleDB, and what counts is what lies
in the log in the end. See docs/benchmarks.md for the method and for numbers of a named machine.
"""
