# SPDX-License-Identifier: BSD-3-Clause
"""Does a JSON value fit a schema? As much of JSON Schema as docs/openapi.json uses."""

import json
import os
import re

from lib.claims import Failed, shorten

KINDS = {
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}
KNOWN = {"type", "description", "enum", "format", "items", "properties", "required", "minimum",
         "additionalProperties", "minItems", "maxItems", "$ref", "maximum"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Document:
    """An OpenAPI document, and what it says of answers."""

    def __init__(self, path=os.path.join(os.path.dirname(__file__), "../../../docs/openapi.json")):
        with open(path, encoding="utf-8") as f:
            self.root = json.load(f)

    def follow(self, node):
        while "$ref" in node:
            at = self.root
            for name in node["$ref"].removeprefix("#/").split("/"):
                at = at[name]
            node = at
        return node

    def check_answer(self, pattern, method, status, kind, text):
        """Fails unless this answer is one that the document promises."""
        what = f"{method} {pattern} {status}"
        answers = self.root["paths"][pattern][method.lower()]["responses"]
        if str(status) not in answers:
            raise Failed(f"{what}: not described")
        content = self.follow(answers[str(status)]).get("content")
        if content is None:
            if text:
                raise Failed(f"{what}: it has a body")
            return
        kind = kind.split(";")[0]
        if kind not in content:
            raise Failed(f"{what}: {kind} is not described")
        if kind.endswith("json"):
            self.check(what, content[kind]["schema"], json.loads(text))

    def check(self, what, schema, value):
        """Fails unless the value fits the schema; `what` names it."""
        schema = self.follow(schema)
        unknown = set(schema) - KNOWN
        if unknown:
            raise Failed(f"{what}: this checker does not know {unknown}")
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        fits = any(KINDS[kind](value) for kind in kinds)
        if not fits or value not in schema.get("enum", [value]):
            raise Failed(f"{what}: {shorten(value)} does not fit {schema}")
        if schema.get("format") == "date-time" and not TIME.fullmatch(value):
            raise Failed(f"{what}: {value} is no time")
        if isinstance(value, list):
            for i, item in enumerate(value):
                self.check(f"{what}[{i}]", schema["items"], item)
        if isinstance(value, dict):
            self._check_members(what, schema, value)

    def _check_members(self, what, schema, value):
        named, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        for name in schema.get("required", []):
            if name not in value:
                raise Failed(f"{what}: {name} is missing")
        for name, member in value.items():
            if name in named:
                self.check(f"{what}.{name}", named[name], member)
            elif others is False:
                raise Failed(f"{what}: {name} is not described")
            elif others is not True:
                self.check(f"{what}.{name}", others, member)
