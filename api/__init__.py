"""The HTTP API: reads what the log says, writes topics conditions and incidents (requests). One process, on loopback.

`service` its parts · `signing` who asks · `reading`, `running` GET · `acting` POST · `schema` OpenAPI · `main` the
process
"""
