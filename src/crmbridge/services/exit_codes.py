"""How runs end that no error stopped, as exit codes say it; `crmbridge.errors` has those of errors."""

from __future__ import annotations

PARTLY, NEEDS_PERSON, STALE, FINDINGS = 6, 7, 8, 9
