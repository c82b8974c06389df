"""Another rule engine, measured in the environment that has it: reads rules and deals, prints JSON.

python rule_peers.py ENGINE < {"rules": [...], "deals": [...]}
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import sys
import time
from collections.abc import Callable
from typing import Any

Ask = Callable[[dict[str, Any]], bool]


def cel(rules: list[str]) -> list[Ask]:
    """Ask cel-expr-python, with one activation for all rules of a deal, as its manual advises."""
    engine: Any = importlib.import_module("cel_expr_python.cel")

    kinds = engine.Type
    numbers, yes_no = ("amount", "discount", "probability"), ("budget", "need", "timeline")
    variables = {
        **dict.fromkeys(numbers, kinds.DOUBLE),
        **dict.fromkeys(yes_no, kinds.BOOL),
        **dict.fromkeys(("name", "source", "level"), kinds.STRING),
        "decision_maker": kinds.DYN,
        "contacts": kinds.List(kinds.STRING),
    }
    env = engine.NewEnv(variables=variables)
    last: list[Any] = [None, None]

    def ask(program: Any) -> Ask:
        def run(deal: dict[str, Any]) -> bool:
            if last[0] is not deal:
                last[:] = [deal, env.Activation(deal)]
            return program.eval(last[1]).value() is True

        return run

    return [ask(env.compile(rule)) for rule in rules]


def zen(rules: list[str]) -> list[Ask]:
    """Ask zen-engine's compiled expressions."""
    engine: Any = importlib.import_module("zen")

    def ask(program: Any) -> Ask:
        return lambda deal: program.evaluate(deal) is True

    return [ask(engine.compile_expression(rule)) for rule in rules]


def rule_engine(rules: list[str]) -> list[Ask]:
    """Ask rule-engine."""
    engine: Any = importlib.import_module("rule_engine")

    return [engine.Rule(rule).matches for rule in rules]


ENGINES = {
    "cel-expr-python": (cel, "cel-expr-python"),
    "zen-engine": (zen, "zen-engine"),
    "rule-engine": (rule_engine, "rule-engine"),
}


def main() -> None:
    """Ask one engine all rules about all deals, three times; the fastest counts."""
    prepare, package = ENGINES[sys.argv[1]]
    given = json.load(sys.stdin)
    asks, deals = prepare(given["rules"]), given["deals"]
    holds, best = 0, float("inf")
    for _ in range(3):
        start = time.perf_counter()
        holds = sum(ask(deal) for deal in deals for ask in asks)
        best = min(best, time.perf_counter() - start)
    version = importlib.metadata.version(package)
    print(json.dumps({"verdicts": len(asks) * len(deals), "seconds": best, "holds": holds, "version": version}))


if __name__ == "__main__":
    main()
