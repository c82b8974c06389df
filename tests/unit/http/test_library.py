"""The HTTP library, as it is imported for an adapter."""

import subprocess
import sys


def test_what_only_its_command_line_needs_is_not_imported() -> None:
    """It costs every pull as much as two requests; whoever asks for it later gets it all the same."""
    script = (
        "import sys; from crmbridge.http import HttpClient; "
        "assert not {'rich', 'pygments'} & {*sys.modules}, 'imported'; import httpx._main as m; m.main"
    )

    done = subprocess.run([sys.executable, "-c", script], check=False)  # noqa: S603  our own words

    assert 0 == done.returncode
