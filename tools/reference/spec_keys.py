"""The keys of spec files, from the records that validate them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from fqbench.spec.model import ModelSpec
from tools.reference.markdown import NOTE, code, table

Schema = Mapping[str, Any]


def page() -> str:
    """The page, in Markdown."""
    schema = ModelSpec.model_json_schema()
    parts = [
        NOTE,
        "# Spec keys",
        "Every key of a [spec file](../spec.md), its type and its default. Unknown keys are"
        " refused.",
        *_record("", schema, schema["$defs"]),
    ]
    return "\n\n".join(parts) + "\n"


def _record(
    path: str, schema: Schema, known: Mapping[str, Schema], title: str = ""
) -> Iterator[str]:
    """A record's keys, then the records among them."""
    if path:
        yield f"## {title or code(path)}"
    if described := _described(schema):
        yield described
    required = schema.get("required", ())
    kind = "kind" if "const" in schema.get("properties", {}).get("kind", {}) else None
    properties = {n: each for n, each in schema.get("properties", {}).items() if n != kind}
    rows = [
        (code(name), _type(each, known), _default(name, each, name in required))
        for name, each in properties.items()
    ]
    if rows:
        yield table(("key", "type", "default"), rows)
    for name, each in properties.items():
        yield from _below(f"{path}.{name}" if path else name, each, known)


def _below(path: str, schema: Schema, known: Mapping[str, Schema]) -> Iterator[str]:
    for part in _parts(schema):
        if "discriminator" in part:
            for kind, reference in part["discriminator"]["mapping"].items():
                title = f"{code(path)} of kind {code(kind)}"
                yield from _record(path, _resolved({"$ref": reference}, known), known, title)
        elif "$ref" in part and "properties" in _resolved(part, known):
            yield from _record(path, _resolved(part, known), known)
        elif isinstance(part.get("additionalProperties"), Mapping):
            yield from _below(f"{path}.NAME", part["additionalProperties"], known)
        elif isinstance(part.get("items"), Mapping):
            yield from _below(f"{path}", part["items"], known)


def _parts(schema: Schema) -> list[Schema]:
    """The alternatives of a schema, without none at all."""
    found = schema.get("anyOf", [schema])
    return [part for part in found if part.get("type") != "null"]


def _resolved(schema: Schema, known: Mapping[str, Schema]) -> Schema:
    return known[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _type(schema: Schema, known: Mapping[str, Schema]) -> str:
    return " or ".join(dict.fromkeys(_single(part, known) for part in _parts(schema)))


def _single(schema: Schema, known: Mapping[str, Schema]) -> str:
    if "discriminator" in schema:
        kinds = schema["discriminator"]["mapping"]
        return f"mapping, `kind`: {', '.join(map(code, kinds))}"
    schema = _resolved(schema, known)
    if "const" in schema or "enum" in schema:
        return ", ".join(code(str(each)) for each in schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "array":
            return _array(schema, known)
        case "object":
            return "mapping"
        case "string":
            return "path" if schema.get("format") == "path" else _text(schema)
        case "integer" | "number" as kind:
            return f"{'whole number' if kind == 'integer' else 'number'}{_bounds(schema)}"
        case "boolean":
            return "true or false"
    return "anything"


def _text(schema: Schema) -> str:
    limits = []
    if "pattern" in schema:
        limits.append(f"of the form {code(schema['pattern'])}")
    if "maxLength" in schema:
        limits.append(f"at most {schema['maxLength']} characters")
    if "minLength" in schema:
        limits.append(f"at least {schema['minLength']} characters")
    return f"text {', '.join(limits)}" if limits else "text"


def _array(schema: Schema, known: Mapping[str, Schema]) -> str:
    if "prefixItems" in schema:
        return f"list of {len(schema['prefixItems'])}: {_type(schema['prefixItems'][0], known)}"
    return f"list of {_type(schema.get('items', {}), known)}"


def _bounds(schema: Schema) -> str:
    names = {
        "exclusiveMinimum": "more than",
        "minimum": "from",
        "exclusiveMaximum": "less than",
        "maximum": "to",
    }
    found = [f"{name} {schema[key]:g}" for key, name in names.items() if key in schema]
    return f", {' '.join(found)}" if found else ""


def _default(name: str, schema: Schema, required: bool) -> str:
    if required:
        return "required"
    default = schema.get("default")
    if default is None or default in ([], {}) or isinstance(default, Mapping):
        return "" if not isinstance(default, Mapping) or not default else "see below"
    return code(default if isinstance(default, str) else json.dumps(default))


def _described(schema: Schema) -> str:
    """The docstring, its code in Markdown's way."""
    return re.sub(r"``(.*?)``", r"`\1`", schema.get("description", ""), flags=re.S)
