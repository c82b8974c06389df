"""`crmbridge manual`: what it writes, what it leaves alone, and what it says when it can't."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.shop import Shop


def process_file(shop: Shop) -> Path:
    """Give the shop's process file."""
    return shop.folder / "process.yaml"


def test_the_manual_is_written_and_says_where_to_begin(shop: Shop, tmp_path: Path) -> None:
    """A site with the process's languages, in a folder."""
    said = shop.call("manual", "--out", str(tmp_path / "site"))

    assert 0 == said.code
    assert f"open {tmp_path / 'site' / 'index.html'}" in said.out
    assert "Decision maker</a> is filled in" in (tmp_path / "site" / "en" / "stage-qualification.html").read_text(
        "utf-8"
    )
    assert not (tmp_path / "site" / "pt").exists()


def test_programs_are_told_what_was_written(shop: Shop, tmp_path: Path) -> None:
    """Folder, languages and the number of files."""
    site = tmp_path / "site"
    result = shop.call("manual", "--out", str(site), "--language", "zh", "--language", "pt", "--json").document[
        "result"
    ]

    assert ["pt", "zh"] == result["languages"]
    assert str(site / "index.html") == result["start"]
    assert result["files"] == sum(path.is_file() and path.name[0] != "." for path in site.rglob("*"))


def test_pages_of_what_is_gone_are_taken_out_and_nothing_else(shop: Shop, tmp_path: Path) -> None:
    """A stage that was removed leaves no page; a file that somebody put there stays."""
    shop.call("manual", "--out", str(tmp_path))
    (tmp_path / "en" / "ours.html").write_text("x", "utf-8")
    text = process_file(shop).read_text("utf-8")
    process_file(shop).write_text(text.replace("id: seller", "id: rep").replace("r: seller", "r: rep"), "utf-8")
    again = shop.call("manual", "--out", str(tmp_path))

    assert 0 == again.code
    assert (tmp_path / "en" / "role-rep.html").exists()
    assert not (tmp_path / "en" / "role-seller.html").exists()
    assert (tmp_path / "en" / "ours.html").exists()


def test_a_list_that_was_tampered_with_takes_out_nothing_elsewhere(shop: Shop, tmp_path: Path) -> None:
    """Names that lead out of the folder are not followed."""
    outside = tmp_path / "keep.txt"
    outside.write_text("x", "utf-8")
    site = tmp_path / "site"
    shop.call("manual", "--out", str(site))
    (site / ".crmbridge-manual").write_text(f"../keep.txt\n{outside}\nen/../../keep.txt\n", "utf-8")

    assert 0 == shop.call("manual", "--out", str(site)).code
    assert outside.exists()


def test_changes_are_told_since_a_version_or_a_folder_of_them(shop: Shop, tmp_path: Path) -> None:
    """Each is called what its file is called, oldest first."""
    folder = tmp_path / "versions"
    folder.mkdir()
    text = process_file(shop).read_text("utf-8")
    (folder / "2026-02.yaml").write_text(text.replace("goal: 5bd", "goal: 3bd"), "utf-8")
    (folder / "2026-01.yaml").write_text(text.replace("goal: 5bd", "goal: 9bd"), "utf-8")
    said = shop.call("manual", "--out", str(tmp_path / "site"), "--since", str(folder), "--json")
    page = (tmp_path / "site" / "en" / "changes.html").read_text("utf-8")

    assert ["2026-01", "2026-02"] == said.document["result"]["versions"]
    assert page.index("Since 2026-02") < page.index("From 2026-01 to 2026-02")
    assert page.index("<strong>3 business days</strong>") < page.index("<strong>9 business days</strong>")


def test_versions_beside_the_process_are_found_by_themselves(shop: Shop, tmp_path: Path) -> None:
    """In the folder that is called like the file."""
    folder = shop.folder / "process.versions"
    folder.mkdir()
    shutil.copy(process_file(shop), folder / "2026-01.yaml")

    assert ["2026-01"] == shop.call("manual", "--out", str(tmp_path), "--json").document["result"]["versions"]


def test_a_version_that_is_no_process_is_refused_with_its_place(shop: Shop, tmp_path: Path) -> None:
    """As the process itself would be."""
    (tmp_path / "old.yaml").write_text("version: 1\nid: b2b\n", "utf-8")
    said = shop.call("manual", "--out", str(tmp_path / "site"), "--since", str(tmp_path / "old.yaml"))

    assert 3 == said.code
    assert "old.yaml:1" in said.out + said.err
    assert not (tmp_path / "site").exists()


def test_the_chart_alone_is_printed_or_saved(shop: Shop, tmp_path: Path) -> None:
    """For Mermaid and Graphviz; a site in the same folder stays."""
    shop.call("manual", "--out", str(tmp_path))
    printed = shop.call("manual", "--format", "mmd")
    saved = shop.call("manual", "--format", "dot", "--out", str(tmp_path))

    assert printed.out.startswith("flowchart TD\n")
    assert 0 == saved.code
    assert (tmp_path / "flow.dot").read_text("utf-8").startswith("digraph b2b {")
    assert (tmp_path / "index.html").exists()


def test_a_folder_that_can_not_be_written_is_said(shop: Shop, tmp_path: Path) -> None:
    """A file stands where a folder must be."""
    (tmp_path / "en").write_text("x", "utf-8")
    said = shop.call("manual", "--out", str(tmp_path))

    assert 3 == said.code
    assert "can't be written" in said.err + said.out
