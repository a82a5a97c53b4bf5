"""JSON Schemas of the files that this package compiles, each from the model that also checks the file."""

from __future__ import annotations

from collections.abc import Callable

import detection.classes
import detection.rules
import incidents.people
import incidents.policies
import playbooks.loading

SCHEMAS: dict[str, Callable[[], dict[str, object]]] = {
    "rules": detection.rules.json_schema,
    "classes": detection.classes.json_schema,
    "incidents": incidents.policies.json_schema,
    "people": incidents.people.json_schema,
    "playbooks": playbooks.loading.json_schema,
}
"""By folder."""


def json_schema(folder: str) -> dict[str, object]:
    """For editors: the first line of a file is `# yaml-language-server: $schema=PATH`.

    Raises:
        KeyError: no such folder.
    """
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **SCHEMAS[folder]()}
