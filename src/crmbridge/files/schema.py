"""JSON Schemas of the process and settings files, so that editors complete them and mark what is wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel

from crmbridge.errors import ConfigurationError
from crmbridge.model.cases import CaseFile
from crmbridge.model.process import Process
from crmbridge.settings import Settings

SCHEMAS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {"process": Process, "process_tests": CaseFile, "crmbridge": Settings}
)


def schema_text(name: str) -> str:
    """Give a schema as JSON text; `name` is one of SCHEMAS, anything else raises ConfigurationError."""
    model = SCHEMAS.get(name)
    if model is None:
        raise ConfigurationError(f"There is no schema {name!r}", advice=f"Choose one of: {', '.join(SCHEMAS)}.")
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    return json.dumps(schema, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """Write all schemas into a folder and give their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in SCHEMAS:
        path = folder / f"{name}.json"
        path.write_text(schema_text(name), encoding="utf-8")
        written.append(path)
    return tuple(written)


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1] if len(sys.argv) > 1 else "config/schema"))
