"""What a use case imports is paid by every command that has it."""

import importlib
import subprocess
import sys
from collections.abc import Sequence

SERVICES = "crmbridge.services"


def loaded(imports: str, modules: Sequence[str]) -> str:
    """Name those of some modules that importing others loads; all of them are there to be loaded."""
    for name in modules:
        importlib.import_module(name)
    script = f"import sys, {imports}; print(*sorted(set({[*modules]}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)  # noqa: S603  our own words
    return done.stdout.strip()


def test_a_run_that_only_pulls_does_without_what_plans_and_writes() -> None:
    """It would be a twentieth of what a short pull costs."""
    late = ("apply.applying", "runs.planning", "reports.publishing", "sync.syncing", "links.linking")

    assert "" == loaded(f"crmbridge.app, {SERVICES}.runs.running", [f"{SERVICES}.{name}" for name in late])


def test_a_cycle_without_news_does_without_what_judges_and_compares() -> None:
    """A run every few minutes mostly finds nothing, and what it costs is nearly all in what it loads."""
    late = ["engine.rules.compiled", "engine.expr.terms", "engine.evaluating.evaluate"]
    late += ["services.enforce.evaluating", "services.sync.comparing", "services.apply.applying"]
    imports = f"crmbridge.app, {SERVICES}.runs.running, {SERVICES}.runs.planning"

    assert "" == loaded(imports, [f"crmbridge.{name}" for name in late])


def test_a_process_without_expressions_is_checked_without_their_parser() -> None:
    """It takes half as long again to import, and most processes have none."""
    script = (
        "import sys; from pathlib import Path; from crmbridge.files.shipped import shipped_folder; "
        "from crmbridge.files.reading import read_process; from crmbridge.engine.coherence import check_process; "
        "model = read_process(shipped_folder() / 'processes/meddicc.yaml').model; "
        "assert model is not None and list(check_process(model)) == []; "
        "assert not {'lark', 'crmbridge.engine.expr.checking'} & set(sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", script], check=False)  # noqa: S603  our own words

    assert 0 == done.returncode
