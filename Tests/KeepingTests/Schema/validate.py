"""validate.py FILE: holds documents against a JSON Schema, by the library of Debian's python3-jsonschema.

FILE is {"schema": …, "documents": {name: value}}; the answer, {name: [path of each error]}, goes to standard output.
"""
import json
import re
import sys

import jsonschema


def text(parts):
    """As our diagnostics write it: ports[0].virtual, labels["re gion"]."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not re.fullmatch("[A-Za-z0-9_-]+", part):
            path += f'["{part}"]'
        else:
            path += f".{part}" if path else part
    return path


def paths(error):
    here = list(error.absolute_path)
    if error.validator == "required":
        return [text(here + [name]) for name in error.validator_value if name not in error.instance]
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = error.schema.get("properties")
        if known is not None:
            return [text(here + [name]) for name in error.instance if name not in known]
    return [text(here)]


with open(sys.argv[1], encoding="utf-8") as file:
    task = json.load(file)
kind = jsonschema.Draft202012Validator
kind.check_schema(task["schema"])
validator = kind(task["schema"])
answer = {
    name: sorted({path for error in validator.iter_errors(value) for path in paths(error)})
    for name, value in task["documents"].items()
}
json.dump(answer, sys.stdout)
