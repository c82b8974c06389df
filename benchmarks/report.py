"""Measure a report of 10 stages and 20 charts: how long it takes to make, and how large its one file is.

Beside it the same charts by matplotlib, written as SVG: only the drawings, without page, tables and other forms. It
comes with pm4py, which the tests use; where it isn't installed it is left out, and said. Asserts nothing.

    python benchmarks/report.py [--runs 5] [--html FILE] [--json FILE] [--quick]
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from runs.full_report import scorecard
from runs.tables import write_found

HERE = Path(__file__).parent
BARS = "bars: 300 KB and 1 s"


def arguments() -> argparse.Namespace:
    """Read what is to be measured."""
    parser = argparse.ArgumentParser(description="Measure a report of 10 stages and 20 charts.")
    parser.add_argument("--runs", type=int, default=5, help="the median of so many is printed (5)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="keep the page")
    parser.add_argument("--quick", action="store_true", help="once, only to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    asked = parser.parse_args()
    asked.runs = 1 if asked.quick else asked.runs
    return asked
