"""Find the files that come with crmbridge: the bundled processes, the schemas, and what a new project starts from."""

from __future__ import annotations

from pathlib import Path

import crmbridge
from crmbridge.errors import ConfigurationError


def shipped_folder() -> Path:
    """Give the folder with `processes/`, `schema/` and `init/`; raises ConfigurationError when it is missing.

    In an installed package it lies beside the code as `_config`, in a source tree it is the `config` further up.
    """
    package = Path(crmbridge.__file__).resolve().parent
    places = [package / "_config", *(parent / "config" for parent in package.parents)]
    found = next((place for place in places if (place / "processes" / "b2b.yaml").is_file()), None)
    if found is None:
        raise ConfigurationError(
            f"The files that come with crmbridge are missing beside {package}",
            advice="Install crmbridge again.",
        )
    return found
