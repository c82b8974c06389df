"""The processes that are measured: all indicators of a state, or the part of them that pm4py has, as JSON on stdout.

    python -m runs.counting ours STATE
    python -m runs.counting pm4py STATE

pm4py is under the AGPL and only measured beside us. Its part is: how often stages are visited, the directly-follows
graph, how long its ways take, how long cases take, and the variants. Both read the same state, and both are measured
from the first import to the last figure.
"""

from __future__ import annotations

import gc
import json
import sqlite3
import sys
import time
from datetime import UTC
from pathlib import Path
from typing import Any

from runs.indicator_state import AS_OF
from runs.memory import peak_mb


def ours(path: Path) -> dict[str, Any]:
    """Compute the whole scorecard of the seven-stage process."""
    from crmbridge.files.reading import read_process  # noqa: PLC0415  its imports are part of what is measured
    from crmbridge.files.shipped import shipped_folder  # noqa: PLC0415  the same
    from crmbridge.indicators import compute  # noqa: PLC0415  the same

    process = read_process(shipped_folder() / "processes" / "b2b.yaml").model
    if process is None:
        raise SystemExit("the shipped process can't be read")
    card = compute(f"sqlite:///{path}", process, AS_OF.replace(tzinfo=UTC))
    return {
        "measures": len(card.measures),
        "figures": sum(len(row.figures) for each in card.measures for row in each.rows),
        "deals": card.coverage.deals,
    }


def pm4py(path: Path) -> dict[str, Any]:
    """Compute what pm4py has of it, from the same visits."""
    import pandas as pd  # noqa: PLC0415  its imports are part of what is measured
    import pm4py as pm  # noqa: PLC0415  the same

    with sqlite3.connect(path) as state:
        log = pd.read_sql_query("SELECT deal, stage, entered_at FROM visits", state)
    log["entered_at"] = pd.to_datetime(log["entered_at"], format="ISO8601")
    log = pm.format_dataframe(log, case_id="deal", activity_key="stage", timestamp_key="entered_at")
    return {
        "stages": len(pm.get_event_attribute_values(log, "concept:name")),
        "ways": len(pm.discover_dfg(log)[0]),
        "timed": len(pm.discover_performance_dfg(log)[0]),
        "deals": len(pm.get_all_case_durations(log)),
        "variants": len(pm.get_variants(log)),
    }


def main() -> None:
    """Do one of them and say what it cost."""
    gc.set_threshold(200_000, 20, 20)  # for both, as `crmbridge` does for its commands
    start, path = time.perf_counter(), Path(sys.argv[2])
    found = ours(path) if sys.argv[1] == "ours" else pm4py(path)
    cost = {"seconds": time.perf_counter() - start, "cpu_s": time.process_time(), "peak_mb": peak_mb()}
    print(json.dumps({**cost, **found}))


if __name__ == "__main__":
    main()
