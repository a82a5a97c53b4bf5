"""An export to CACAO held against the standard's own JSON schemas, which are not ours to ship: a folder as their
repository has it, `playbook.json` beside `workflows/`, `commands/` and the others.

They refer to each other by address: each is found in the folder, by its path beside `playbook.json`, never in the
network. As of draft 7, which they declare, a property too many is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import validator_for
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT7

_ROOT = "playbook.json"


class SchemasError(Exception):
    """The folder cannot be used. Say so: nothing was held against it."""


def violations(made: dict[str, Any], folder: Path) -> list[str]:
    """What the schemas do not allow, as "place: reason"; the place is a JSON path into the export. None: it is good.

    Raises:
        SchemasError: a file is missing, or is no JSON schema.
    """
    schemas = _read(folder)
    root = schemas[_ROOT]
    base = root.get("$id", _ROOT).removesuffix(_ROOT)
    registry = Registry().with_resources(
        (base + name, Resource.from_contents(schema, default_specification=DRAFT7)) for name, schema in schemas.items()
    )
    validator = validator_for(root, default=Draft7Validator)(_whole(base, schemas), registry=registry)
    try:
        said = [_said(error) for error in validator.iter_errors(made)]
    except Unresolvable as error:
        raise SchemasError(f"the schemas refer to {error.ref}, which is not in {folder}") from None
    return list(dict.fromkeys(said))


def _read(folder: Path) -> dict[str, Any]:
    """By path within the folder."""
    if not (folder / _ROOT).is_file():
        raise SchemasError(f"no {_ROOT} in {folder}: it is the one that has workflows/ and commands/ beside it")
    schemas: dict[str, Any] = {}
    for file in sorted(folder.rglob("*.json")):
        try:
            schema = json.loads(file.read_bytes())
            validator_for(schema, default=Draft7Validator).check_schema(schema)
        except ValueError as error:
            raise SchemasError(f"{file} is no JSON: {error}") from None
        except SchemaError as error:
            raise SchemasError(f"{file} is no JSON schema: {error.message}") from None
        schemas[file.relative_to(folder).as_posix()] = schema
    return schemas


def _whole(base: str, names: Iterable[str]) -> dict[str, Any]:
    """All that the standard says: `playbook.json` asks of a command what all have in common, its own file the rest."""
    kinds = {Path(name).stem: base + name for name in names if name.startswith("commands/")}
    own = [
        {"if": {"required": ["type"], "properties": {"type": {"const": kind}}}, "then": {"$ref": address}}
        for kind, address in kinds.items()
    ]
    steps = {"properties": {"commands": {"items": {"allOf": own}}}}
    return {"allOf": [{"$ref": base + _ROOT}, {"properties": {"workflow": {"additionalProperties": steps}}}]}


def _said(error: ValidationError) -> str:
    """Of alternatives, what is wrong with the one that comes closest; an object is not repeated."""
    deepest = best_match([error])
    reason = deepest.message
    if isinstance(deepest.instance, dict | list):
        reason = reason.replace(repr(deepest.instance), "it")
    return f"{deepest.json_path}: {reason}"
