"""What a use case imports is paid by every command that has it."""

import subprocess
import sys


def test_a_run_that_only_pulls_does_without_what_plans_and_writes() -> None:
    """It would be a twentieth of what a short pull costs."""
    script = (
        "import sys, crmbridge.app, crmbridge.services.runs.running; "
        "assert not {'applying', 'planning', 'publishing'} & {name.rpartition('.')[2] for name in sys.modules}"
    )

    done = subprocess.run([sys.executable, "-c", script], check=False)  # noqa: S603  our own words

    assert 0 == done.returncode


def test_a_cycle_without_news_does_without_what_judges_and_compares() -> None:
    """A run every few minutes mostly finds nothing, and what it costs is nearly all in what it loads."""
    script = (
        "import sys, crmbridge.app, crmbridge.services.runs.running, crmbridge.services.runs.planning; "
        "assert not {'compiled', 'terms', 'evaluate', 'evaluating', 'looking'} "
        "& {name.rpartition('.')[2] for name in sys.modules if name.startswith('crmbridge')}"
    )

    done = subprocess.run([sys.executable, "-c", script], check=False)  # noqa: S603  our own words

    assert 0 == done.returncode


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
