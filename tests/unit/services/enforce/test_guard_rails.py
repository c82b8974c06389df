"""Export of rules: what an adapter makes of them is written into one folder, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crmbridge.errors import ConfigurationError
from crmbridge.hookspecs import hookimpl
from crmbridge.model.replacing import replace
from crmbridge.plugins import AdapterSpec
from crmbridge.ports import Adapter, AdapterContext, GuardRequest, Guards, LeftOut, rule_name
from crmbridge.services.enforce.guard_rails import export_rules, write_files
from crmbridge.services.workspace import Workspace
from crmbridge.settings import AdapterSettings
from crmbridge.testing.factories import make_process
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.workspaces import make_bench, usual_settings


def guards(request: GuardRequest) -> Guards:
    """Say every rule, but for those of proposal."""
    rules = [rule_name(stage, rule) for stage in request.process.stages for rule in stage.exit]
    says = {
        "stages": {name: list(ids) for name, ids in request.stages.items()},
        "fields": {field.name: field.native for field in request.fields},
        "account": request.account.account if request.account else None,
        "language": request.language,
        "pipeline": request.pipeline,
    }
    return Guards(
        files={"rules/all.json": json.dumps(says)},
        steps=("Load the file.",),
        covered=tuple(rules),
        left_out=(LeftOut(rule="proposal.x", why="no such thing"),),
    )


class Guarded:
    """A plugin whose adapter exports rules, and opens only when it is asked for."""

    def __init__(self) -> None:
        self.crms: dict[str, FakeCrm] = {}
        self.opened = 0

    def open(self, _settings: Any, context: AdapterContext) -> Adapter:
        """Connect."""
        self.opened += 1
        return FakeAdapter(self.crms[context.connection])

    @hookimpl
    def crmbridge_adapters(self) -> list[AdapterSpec]:
        """Offer it."""
        return [AdapterSpec(name="guarded", summary="", settings=AdapterSettings, open=self.open, guards=guards)]


@pytest.fixture
def plugin() -> Guarded:
    """Give the plugin."""
    return Guarded()


@pytest.fixture
def workspace(plugin: Guarded) -> Workspace:
    """Give a workspace whose `north` exports rules, and `south` doesn't."""
    entry = [{"id": "known", "check": {"required": ["source"]}}]
    process = make_process()
    first, second, *others = process.stages
    second = second.model_validate({**second.model_dump(), "entry": entry})
    process = process.model_copy(update={"stages": (first, second, *others)})
    usual = usual_settings(process, ("north", "south"))
    usual["connections"]["north"]["adapter"] = "guarded"
    parts = {name: usual[name] for name in ("connections", "stages")}
    bench = make_bench(process=process, plugins={"guarded": plugin}, **parts)
    plugin.crms.update(bench.crms)
    return bench.workspace


def test_an_export_starts_from_the_files_alone(workspace: Workspace, plugin: Guarded) -> None:
    """The stages as they are mapped and the fields as they are bound; no account is asked."""
    made = export_rules(workspace, "north")
    says = json.loads(made.files["rules/all.json"])

    assert (0, None, "en", "sales") == (plugin.opened, says["account"], says["language"], says["pipeline"])
    assert ["qualification"] == says["stages"]["qualification"]
    assert "bant.budget" == says["fields"]["bant.budget"]
    assert ("qualification.bant",) == made.covered


def test_entry_rules_are_left_to_crmbridge(workspace: Workspace) -> None:
    """Whatever the adapter makes of the rest, they are named as left out."""
    assert ["proposal.x", "proposal.known"] == [left.rule for left in export_rules(workspace, "north").left_out]


def test_the_account_is_described_when_it_shall_be_asked(workspace: Workspace, plugin: Guarded) -> None:
    """For its own names."""
    assert "north" == json.loads(export_rules(workspace, "north", ask=True).files["rules/all.json"])["account"]
    assert 1 == plugin.opened


@pytest.mark.parametrize(
    ("connection", "language", "said"),
    [
        ("south", "en", "'fake' of connection 'south' exports no rules"),
        ("east", "en", "There is no connection 'east'"),
        ("north", "pt", "not written in 'pt'"),
    ],
)
def test_what_cannot_be_exported_says_why(workspace: Workspace, connection: str, language: str, said: str) -> None:
    """And what can be done."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        export_rules(workspace, connection, language=language)

    assert caught.value.advice


def test_it_says_what_to_choose_from_and_what_to_map(workspace: Workspace) -> None:
    """The languages that the process is written in; the stages, without which no rule has a place."""
    process = workspace.project.process
    written = process.model_copy(update={"languages": ("en", "zh")})
    unmapped = workspace.project.settings.model_copy(update={"stages": {}})

    with pytest.raises(ConfigurationError) as caught:
        export_rules(replace(workspace, project=replace(workspace.project, process=written)), "north", language="pt")
    assert "Choose one of: en, zh." == caught.value.advice
    with pytest.raises(ConfigurationError, match="stages of 'north' are not mapped") as caught:
        export_rules(replace(workspace, project=replace(workspace.project, settings=unmapped)), "north")
    assert "Add stages: north:" in caught.value.advice


def test_files_are_written_into_the_folder(tmp_path: Path) -> None:
    """Folders are made; the same export again changes nothing, and needs no force."""
    files = {"a/b.xml": "<ä>\r\n", "c.md": "c"}
    paths = write_files(files, tmp_path / "rules")

    assert [tmp_path / "rules" / "a" / "b.xml", tmp_path / "rules" / "c.md"] == list(paths)
    assert "<ä>\r\n".encode() == paths[0].read_bytes()
    assert paths == write_files(files, tmp_path / "rules")


def test_a_file_that_differs_is_replaced_only_by_force(tmp_path: Path) -> None:
    """Somebody may have worked on it; until then none of the others is written either."""
    (tmp_path / "b").write_text("mine", "utf-8")
    with pytest.raises(ConfigurationError, match="b is there already and differs"):
        write_files({"a": "new", "b": "new"}, tmp_path)
    assert ["b"] == [path.name for path in tmp_path.iterdir()]

    write_files({"a": "new", "b": "new"}, tmp_path, force=True)
    assert "new" == (tmp_path / "b").read_text("utf-8")


def test_a_link_that_leads_nowhere_is_said(tmp_path: Path) -> None:
    """As whatever else keeps a file from being written."""
    (tmp_path / "rules.xml").symlink_to(tmp_path / "rules.xml")
    (tmp_path / "taken").write_text("no folder")

    with pytest.raises(ConfigurationError, match="The rules can't be written to"):
        write_files({"rules.xml": "x"}, tmp_path, force=True)
    with pytest.raises(ConfigurationError, match=r"can't be written to .*: (File exists|Not a directory)$"):
        write_files({"taken/rules.xml": "x"}, tmp_path, force=True)


def test_files_that_differ_are_counted(tmp_path: Path) -> None:
    """The first is named."""
    names = ["a", "b", "c"]
    write_files(dict.fromkeys(names, "old"), tmp_path)

    for count, ending in ((1, "differs"), (2, "differs, and 1 more"), (3, "differs, and 2 more")):
        with pytest.raises(ConfigurationError) as caught:
            write_files(dict.fromkeys(names[:count], "new"), tmp_path)
        assert f"{tmp_path / 'a'} is there already and {ending}" == caught.value.message


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/../../x", "", "..", "a\\..\\x", "c:x", "link/x", "a/../x", "{folder}/x", "a\x00b"]
)
def test_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    """By no name, and through no link; what else the export has is not written then."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(ConfigurationError, match="is not in"):
        write_files({"good": "1", name.format(folder=folder): "2"}, folder, force=True)

    assert [["rules"], ["link"]] == [[path.name for path in place.iterdir()] for place in (tmp_path, folder)]
