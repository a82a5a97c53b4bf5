"""Kafka: topics, clients, and the stage that every brain runs in (inbox in, decisions out, state read back)."""
