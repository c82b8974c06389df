"""What runs, the history and decisions say follows the language of the settings; JSON stays the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.shop import Shop


def close(text: str) -> str:
    """Give lines with one space where columns are apart."""
    return re.sub(r" +", " ", text)


@pytest.mark.parametrize(
    ("language", "did", "noted", "connected"),
    [
        (
            "en",
            ["pulled north: 18 records, 4 moves", "judged 3 deals", "planned 4 changes", "written 4 applied"],
            ["run command ended took did", "cycle done ", " 4 changes, 4 applied"],
            ["kept in step by last pulled (UTC)", "mapped 1 bound main 20", "not looked at; the vendor's own"],
        ),
        (
            "pt",
            ["lido north: 18 registros, 4 movimentos", "avaliado 3 negócios", "planejado 4 mudanças", "gravado: 4"],
            ["execução comando término duração o que fez", "cycle concluída ", " 4 mudanças, gravado: 4"],
            ["sincronizado por última leitura (UTC)", "mapeadas 1 vinculado main 20", "não verificado; o do"],
        ),
        (
            "zh",
            ["18 条记录", "已评估 3 个有变化的商机", "已计划 4 项更改", "已写入 4 项"],
            ["运行 命令 结局 用时 内容", "cycle 完成 ", "4 项更改"],
            ["名称 适配器 阶段 字段 同步项 上次读取", "已映射 已绑定 1 个 main 20", "未查看"],
        ),
    ],
)
def test_runs_and_what_is_connected_are_told_in_the_language_of_the_settings(
    shop: Shop, language: str, did: list[str], noted: list[str], connected: list[str]
) -> None:
    """When a run ends, in the history, and in the list of connections."""
    shop.setting(f"language: {language}\n")
    said = {name: close(shop.call(*name.split()).out) for name in ("run", "history", "connections")}
    wanted = {"run": did, "history": noted, "connections": connected}

    assert [] == [(name, each) for name, lines in wanted.items() for each in lines if each not in said[name]]


@pytest.mark.parametrize(
    ("language", "none_due", "no_side"),
    [
        ("en", "Nothing is due.", "No conflict has a value of that side."),
        ("pt", "Nada está na hora.", "Nenhum conflito tem um valor desse lado."),
        ("zh", "没有到期的任务。", "没有冲突包含该方的值。"),
    ],
)
def test_what_had_nothing_to_do_says_so_in_the_language_of_the_settings(
    shop: Shop, language: str, none_due: str, no_side: str
) -> None:
    """A schedule on which nothing is due, and a decision about nothing."""
    shop.setting(f"language: {language}\n")

    assert shop.call("run", "--due").out.startswith(none_due)
    assert no_side in shop.call("conflicts", "resolve", "--all", "--take", "north", "--yes").out
