"""The page over HTTP: who gets in, what a form must carry, what answers say, and that it stays quick and small."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from msgspec.structs import force_setattr

from crmbridge.errors import PlanStaleError
from crmbridge.model.changes import Blocked, Cause, FieldEdit
from crmbridge.model.findings import Waiver
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money
from crmbridge.ports import Document
from crmbridge.services.choosing import ALL
from crmbridge.services.holding import held_deals
from crmbridge.services.running import run_plan, run_steps
from crmbridge.services.workspace import Progress, Workspace, silent
from crmbridge.store import open_store
from crmbridge.testing.factories import make_change, make_evaluation, make_finding, make_process, make_stage
from crmbridge.testing.workspaces import Bench, make_bench
from crmbridge.web.access import Access, Key, Role, digest_of
from crmbridge.web.gate import POLICY, hosts_of
from crmbridge.web.opening import serving
from crmbridge.web.receiver import Reception, webhook_app
from crmbridge.web.rendering import style_path
from crmbridge.web.routes import site_app
from crmbridge.web.server import listen, make_server
from crmbridge.web.site import Site
from crmbridge.web.views import signing
from crmbridge.web.views.waiting import seen

TOKENS = {"act": "token-of-who-may-act", "read": "token-of-who-may-look"}
HOSTILE = "<script>alert(1)</script>\u202e\x1b]52;c;aGk=\x07"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A page that is being served, and the workspace and CRMs behind it. What is set to work begins once `may_work`."""

    bench: Bench
    site: Site
    url: str
    may_work: threading.Event

    @contextlib.contextmanager
    def visitor(self, role: str | None = "act") -> Iterator[httpx.Client]:
        """Give somebody at a browser, signed in with a token of a role."""
        with httpx.Client(base_url=self.url, trust_env=False, headers={"origin": self.url}) as client:
            if role:
                assert 303 == client.post("/sign-in", data={"token": TOKENS[role]}).status_code
            yield client

    def form(self, client: httpx.Client, **fields: str) -> dict[str, str]:
        """Give a form of that visitor's session."""
        session = self.site.access.session(client.cookies.get("crmbridge"))
        assert session is not None
        return {"form": session.form, **fields}

    def wait(self) -> None:
        """Wait until what was set to work is over."""
        ends = time.monotonic() + 20
        while self.site.desk.is_busy and time.monotonic() < ends:
            time.sleep(0.005)


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Give a way to serve the page of a bench on a free port."""
    with contextlib.ExitStack() as stack:

        def start(deals: int = 0, fill: Callable[[Bench], None] = lambda _: None, **settings: Any) -> Served:
            url = f"sqlite:///{tmp_path / 'state.db'}"
            bench = make_bench(deals=deals, store=open_store(url), folder=tmp_path, store_url=url, **settings)
            fill(bench)
            keys = [Key(name, Role(name), digest_of(token)) for name, token in TOKENS.items()]
            access = Access(keys, bench.clock.now)
            may_work = threading.Event()
            may_work.set()
            stack.callback(may_work.set)

            @contextlib.contextmanager
            def opens(_progress: Progress = silent) -> Iterator[Workspace]:
                may_work.wait(20)
                workspace = bench.again().workspace
                yield Workspace(
                    project=workspace.project, store=open_store(url), clock=bench.clock, plugins=workspace.plugins
                )

            hosts = hosts_of("127.0.0.1", None, [])
            site = stack.enter_context(serving(bench.workspace, opens, access, hosts, write=dict))
            app = site_app(site, webhook_app(Reception(bench.workspace, {}, "http://127.0.0.1")))
            listener = stack.enter_context(contextlib.closing(listen("127.0.0.1", 0)))
            server = make_server(app)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            stack.callback(thread.join, 10)
            stack.callback(setattr, server, "should_exit", True)
            while not server.started:
                time.sleep(0.005)
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            return Served(bench=bench, site=site, url=address, may_work=may_work)

        yield start


def conflict(bench: Bench) -> None:
    """Let two sides change the amount of one deal to different values."""
    deal = bench.crms["north"].create_deal("Rollout", stage="qualification", amount=Money(Decimal(10000), "EUR"))
    run_steps(bench.workspace, "cycle")
    other = next(
        ref
        for refs in bench.workspace.store.links.links().values()
        for ref in refs
        if ref.kind is Kind.DEAL and ref != deal
    )
    bench.clock.advance(timedelta(hours=1))
    for ref, amount in ((deal, 11000), (other, 12000)):
        bench.crms[ref.connection].edit_deal(ref.id, amount=Money(Decimal(amount), "EUR"))
    bench.clock.advance(timedelta(hours=1))
    run_plan(bench.workspace)


ASKING = {
    "sync": [{"name": "main", "between": ["north", "south"], "create": ["south"], "fields": {"*": {"conflict": "ask"}}}]
}


def test_nothing_is_shown_without_a_token(serve: Serve) -> None:
    """Every page leads to the sign-in, and back to where one was going; only what a watcher needs is open."""
    served = serve()
    with served.visitor(None) as stranger:
        paths = [
            "/",
            "/deals?stage=x",
            "/deals/north/1",
            "/waiting",
            "/plan",
            "/plan/apply",
            "/work",
            "/runs",
            "/indicators",
            "/report",
            "/manual/",
        ]
        answers = [stranger.get(path) for path in paths]
        assert [303] * len(paths) == [answer.status_code for answer in answers]
        assert f"/sign-in?next={quote('/deals?stage=x', safe='')}" == answers[1].headers["location"]
        assert [200, 401, 404] == [stranger.get(path).status_code for path in ("/healthz", "/metrics", "/.env")]


def test_every_answer_allows_no_script_and_is_not_kept(serve: Serve) -> None:
    """Errors and refusals too."""
    served = serve()
    with served.visitor() as visitor:
        answers = [visitor.get(path) for path in ("/", "/nothing", "/sign-in")]
        answers.append(visitor.post("/plan/make", headers={"origin": "http://evil.example"}))
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert ("default-src 'none'", False) == (policy.split(";")[0], "script-src" in policy or "unsafe" in policy)
        assert "frame-ancestors 'none'" in policy
        assert ("nosniff", "no-store") == (answer.headers["x-content-type-options"], answer.headers["cache-control"])
        assert "server" not in answer.headers


def test_a_name_that_was_turned_to_this_machine_leads_nowhere(serve: Serve) -> None:
    """Not even with a session; webhooks and the watcher's address ask for none, as before."""
    served = serve()
    with served.visitor() as visitor:
        answers = [visitor.get(path, headers={"host": "evil.example"}) for path in ("/", "/metrics", "/healthz")]
        answers.append(visitor.post("/webhooks/north", headers={"host": "evil.example"}))

    assert [421, 421, 200, 401] == [answer.status_code for answer in answers]
    assert [POLICY] * 2 == [answer.headers.get("content-security-policy") for answer in answers[:2]]


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({"origin": "http://evil.example"}, {}),
        ({"origin": "null"}, {}),
        ({"origin": None}, {}),
        ({}, {"form": ""}),
        ({}, {"form": "0" * 64}),
    ],
    ids=["other origin", "no origin to name", "no origin", "no token", "wrong token"],
)
def test_a_form_that_is_not_our_own_does_nothing(
    serve: Serve, headers: Mapping[str, str | None], fields: dict[str, str]
) -> None:
    """Whatever it is about, and with a session."""
    served = serve()
    with served.visitor() as visitor:
        form = {**served.form(visitor), **fields}
        for name, value in headers.items():
            visitor.headers.pop(name)
            visitor.headers.update({name: value} if value else {})
        codes = [
            visitor.post(path, data=form).status_code
            for path in ("/plan/make", "/plan/apply", "/waiting/1", "/sign-out")
        ]

    assert [403] * 4 == codes
    assert served.site.desk.job is None


def test_who_may_look_can_do_nothing(serve: Serve) -> None:
    """Although the form is their own; a page that asks for a confirmation is not for them either."""
    served = serve(fill=conflict, **ASKING)
    (item,) = (one.item for one in served.bench.workspace.store.waiting.all())
    with served.visitor("read") as visitor:
        form = served.form(visitor, take="north", pull="yes")
        codes = [visitor.post(path, data=form).status_code for path in ("/plan/make", f"/waiting/{item.id}")]

    assert [403, 403] == codes
    assert [item] == [one.item for one in served.bench.workspace.store.waiting.all()]


def test_a_form_that_does_not_arrive_holds_no_connection(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred such would keep everybody else out; nobody needs a token for that."""
    monkeypatch.setattr("crmbridge.web.routes.PATIENCE", 0.05)
    served = serve()
    host, port = "127.0.0.1", int(served.url.rpartition(":")[2])
    head = f"POST /sign-in HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99\r\n\r\ntoken="
    with socket.create_connection((host, port), timeout=4) as slow:
        slow.sendall(head.encode())
        answer = b"".join(iter(lambda: slow.recv(4096), b""))

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_who_asks_and_takes_no_answer_holds_no_connection(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut off, however much it asked for: two hundred such would keep everybody else out."""
    monkeypatch.setattr("crmbridge.web.server.UNREAD_SECONDS", 0.3)
    served = serve()
    request = f"GET {style_path()} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with socket.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.settimeout(30)
        greedy.connect(("127.0.0.1", int(served.url.rpartition(":")[2])))
        with pytest.raises(ConnectionError):
            all(greedy.sendall(request * 1000) is None for _ in count())


def test_guessing_tokens_is_turned_away(serve: Serve) -> None:
    """With the time to wait; what is no form is not read."""
    served = serve()
    with served.visitor(None) as stranger:
        claims = [{"x-forwarded-for": f"10.0.0.{number}"} for number in range(11)]
        codes = [stranger.post("/sign-in", data={"token": "guessed"}, headers=head).status_code for head in claims]
        assert [403] * 10 + [429] == codes
        assert "60" <= stranger.post("/sign-in", data={"token": TOKENS["act"]}).headers["retry-after"]
        large = stranger.post("/sign-in", data={"token": "x" * 70_000})
        other = stranger.post("/sign-in", json={"token": "x"})

    assert (413, 415) == (large.status_code, other.status_code)


def test_behind_a_proxy_one_guesser_locks_nobody_else_out(serve: Serve) -> None:
    """Where the settings name the proxy, wrong tokens count for who called it, whatever that one wrote itself."""
    served = serve(serve={"proxies": ["127.0.0.0/8"]})
    wrong = {"token": "wrong"}
    with served.visitor(None) as visitor:
        guesses = [
            visitor.post(
                "/sign-in", data=wrong, headers={"x-forwarded-for": f"203.0.113.{n}, 198.51.100.7"}
            ).status_code
            for n in range(11)
        ]
        other = visitor.post("/sign-in", data={"token": TOKENS["read"]}, headers={"x-forwarded-for": "198.51.100.8"})

    assert [403] * 10 + [429] == guesses
    assert 303 == other.status_code


def test_what_anybody_may_write_counts_for_nothing_without_a_proxy(serve: Serve) -> None:
    """Else each try could come from an address of its own."""
    with serve().visitor(None) as visitor:
        guesses = [
            visitor.post("/sign-in", data={"token": "wrong"}, headers={"x-forwarded-for": f"203.0.113.{n}"}).status_code
            for n in range(11)
        ]

    assert [403] * 10 + [429] == guesses


def test_two_pages_on_one_host_sign_nobody_out(serve: Serve) -> None:
    """Browsers keep cookies by host whatever the port, so each page has one of its own name."""
    served = serve()
    other = replace(served.site, port=8751)
    names = {signing.cookie_name(each) for each in (served.site, other, replace(other, secure=True))}

    assert {"crmbridge", "crmbridge_8751", "__Host-crmbridge_8751"} == names


def test_nobody_decides_for_a_value_that_they_never_saw(serve: Serve) -> None:
    """A conflict keeps its name while its values change; who decides on the ones before is told to look again."""
    served = serve(fill=conflict, **ASKING)
    (item,) = (one.item for one in served.bench.workspace.store.waiting.all())
    before = seen(replace(item, values={**item.values, "south": Money(Decimal(1), "EUR")}))
    with served.visitor() as visitor:
        answers = [
            visitor.post(f"/waiting/{item.id}", data=served.form(visitor, take="south", **shown))
            for shown in ({"seen": before}, {})
        ]

    assert [409, 409] == [answer.status_code for answer in answers]
    assert [item] == [one.item for one in served.bench.workspace.store.waiting.all()]


def test_a_conflict_is_decided_as_the_command_line_does(serve: Serve) -> None:
    """For a side; the next plan writes it, after a confirmation, and to the other side alone."""
    served = serve(fill=conflict, **ASKING)
    (item,) = (one.item for one in served.bench.workspace.store.waiting.all())
    with served.visitor() as visitor:
        text = visitor.get("/waiting").text
        assert ("11,000 EUR" in text, "12,000 EUR" in text) == (True, True)
        visitor.post(f"/waiting/{item.id}", data=served.form(visitor, take="south", seen=seen(item)))
        assert () == served.bench.workspace.store.waiting.all()

        visitor.post("/plan/make", data=served.form(visitor, pull="yes"))
        served.wait()
        made = served.site.desk.made
        assert made is not None
        assert [("north", "update")] == [(change.connection, change.action.value) for change in made.plan.changes]
        assert "Write 1 change</button>" in visitor.get(f"/plan/apply?id={made.plan.id}").text
        assert [] == [
            e for e in served.bench.workspace.store.journal.entries() if e.change.id == made.plan.changes[0].id
        ]
        visitor.post("/plan/apply", data=served.form(visitor, id=made.plan.id))
        served.wait()

        assert "written" in visitor.get("/work").text
        again = visitor.post("/plan/apply", data=served.form(visitor, id=made.plan.id))
        assert (409, True) == (again.status_code, "This plan has been applied" in again.text)
        visitor.get("/language/pt")
        again = visitor.post("/plan/apply", data=served.form(visitor, id=made.plan.id))
        assert "Este plano já foi aplicado" in again.text
    served.bench.clock.advance(timedelta(hours=1))
    ran = run_plan(served.bench.workspace)
    assert ran.cycle is not None
    assert ran.cycle.plan is not None
    assert () == ran.cycle.plan.changes


def test_another_plan_than_the_one_shown_is_not_written(serve: Serve) -> None:
    """It says so, and nothing reaches the journal."""
    served = serve(fill=lambda bench: bench.crms["north"].create_deal("New") and None)
    with served.visitor() as visitor:
        visitor.post("/plan/make", data=served.form(visitor, pull="yes"))
        served.wait()
        answer = visitor.post("/plan/apply", data=served.form(visitor, id="another"))
    with pytest.raises(PlanStaleError):
        served.site.desk.apply("me", "another", ALL)

    assert (409, True) == (answer.status_code, "not the one that stands now" in answer.text)
    assert [] == list(served.bench.workspace.store.journal.entries())


def test_an_id_with_what_ends_a_path_is_come_back_to(serve: Serve) -> None:
    """After signing in, and in another language; nothing in it begins a line of the log."""
    served = serve()
    path = f"/deals/north/{quote('a?b#c/%0A', safe='')}"
    with served.visitor(None) as stranger:
        assert f"/sign-in?next={quote(path, safe='')}" == stranger.get(path).headers["location"]
        answer = stranger.post("/sign-in", data={"token": TOKENS["read"], "next": path})
        other = re.findall('href="(/language/pt[^"]+)"', stranger.get(path).text)[0]

        assert [path] * 2 == [answer.headers["location"], stranger.get(other).headers["location"]]


def test_who_can_not_do_something_is_led_back_to_where_they_were(serve: Serve) -> None:
    """With the focus on why; who has no session any more is led to sign in, and a form's address is no page."""
    served = serve(fill=conflict, **ASKING)
    (item,) = (one.item for one in served.bench.workspace.store.waiting.all())
    with served.visitor() as visitor:
        wrong = visitor.post(f"/waiting/{item.id}", data=served.form(visitor, value="lots", seen=seen(item)))
        again = visitor.get(f"/waiting/{item.id}")
        form = served.form(visitor, take="north", seen=seen(item), page="3")
        visitor.post("/sign-out", data=served.form(visitor))
        ended = visitor.post(f"/waiting/{item.id}", data=form)

    assert (400, True, True) == (wrong.status_code, 'main" href="/waiting"' in wrong.text, "autofocus" in wrong.text)
    assert re.search(r"<p>[^<]*[a-z0-9'].</p>\n<p>", wrong.text), "a sentence, and what to do"
    assert (405, True) == (again.status_code, "This page is not there" in again.text)
    assert (403, True) == (ended.status_code, 'main" href="/sign-in"' in ended.text)
    with served.visitor() as visitor:
        answer = visitor.post(f"/waiting/{item.id}", data={**form, **served.form(visitor)})
        said = visitor.get(answer.headers["location"]).text

    assert "/waiting?decided=1&page=3" == answer.headers["location"]
    assert "<title>Decided. The next plan carries it out." in said


def test_a_button_that_is_pressed_twice_does_it_once(serve: Serve) -> None:
    """And says no error: whoever pressed it sees what is at work. Somebody else is told."""
    served = serve(fill=lambda bench: bench.crms["north"].create_deal("New", stage="qualification") and None, **ASKING)
    with served.visitor() as visitor:
        served.may_work.clear()
        makes = [visitor.post("/plan/make", data=served.form(visitor, pull="yes")) for _ in range(2)]
        served.may_work.set()
        served.wait()
        made = served.site.desk.made
        assert made is not None
        served.may_work.clear()
        writes = [visitor.post("/plan/apply", data=served.form(visitor, id=made.plan.id)) for _ in range(2)]
        other = visitor.post("/plan/apply", data=served.form(visitor, id="another"))
        served.may_work.set()
        served.wait()
    applied = [e.change.id for e in served.bench.workspace.store.journal.entries() if e.outcome == "applied"]

    assert [(303, "/work")] * 4 == [(one.status_code, one.headers["location"]) for one in (*makes, *writes)]
    assert (409, sorted(change.id for change in made.plan.changes)) == (other.status_code, sorted(applied))


def test_what_is_at_work_is_told_until_it_is_done(serve: Serve) -> None:
    """In one answer: a page that loads itself again takes readers' place away."""
    served = serve(fill=lambda bench: bench.crms["north"].create_deal("New", stage="qualification") and None)
    served.may_work.clear()
    with served.visitor() as visitor:
        visitor.post("/plan/make", data=served.form(visitor, pull="yes"))
        with visitor.stream("GET", "/work") as answer:
            parts = answer.iter_text()
            begin = next(parts)
            assert ("Making a plan</h1>" in begin, "Done." in begin, "refresh" in begin) == (True, False, False)
            served.may_work.set()
            rest = "".join(parts)

    assert [True] * 3 == [each in rest for each in ("Done.", 'href="/plan"', "</html>")]


def test_what_takes_too_long_to_be_told_can_be_looked_at_again(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is whole, and what is at work goes on."""
    monkeypatch.setattr("crmbridge.web.views.work.LONGEST", 0.0)
    served = serve()
    served.may_work.clear()
    with served.visitor() as visitor:
        visitor.post("/plan/make", data=served.form(visitor))
        said = visitor.get("/work").text

    assert ("Look again" in said, said.strip().endswith("</html>"), served.site.desk.is_busy) == (True, True, True)


def test_while_another_run_holds_the_state_it_says_so(serve: Serve) -> None:
    """And the plan is not made."""
    served = serve()
    store, clock = served.bench.workspace.store, served.bench.clock
    with store.runs.lease("another run", clock.now(), timedelta(minutes=5)), served.visitor() as visitor:
        visitor.post("/plan/make", data=served.form(visitor))
        served.wait()

        assert "another run" in visitor.get("/work").text
    assert served.site.desk.made is None


def test_findings_are_told_in_the_visitors_language(serve: Serve) -> None:
    """The list of held deals and a deal's page say what is wrong in the visitor's language."""

    def fill(bench: Bench) -> None:
        deal = bench.crms["north"].create_deal("Rollout", stage="qualification")
        bench.crms["north"].move_deal(deal.id, "closing")
        run_steps(bench.workspace, "cycle")

    served, said = serve(fill=fill), {}
    deal = next(one.finding.deal for one in served.bench.workspace.store.findings.findings())
    for language in ("en", "pt", "zh"):
        with served.visitor() as visitor:
            visitor.get(f"/language/{language}")
            said[language] = [visitor.get(path).text for path in ("/deals", f"/deals/{deal.connection}/{deal.id}")]

    assert ["skipped Proposal" in text or "went on from" in text for text in said["en"]] == [True, True]
    assert ["e pulou Proposal" in text for text in said["pt"]] == [True, True]
    assert ["跳过了Proposal" in text for text in said["zh"]] == [True, True]
    assert not any("The deal" in text for text in (*said["pt"], *said["zh"]))
    # The page says once which zone its times are in, so no finding may have its own.
    assert not any(re.search(r"\d UTC", text) for texts in said.values() for text in texts)


def test_a_browser_that_prefers_none_of_the_languages_gets_that_of_the_settings(serve: Serve) -> None:
    """One that prefers one of them gets it."""
    served = serve(language="pt")
    with served.visitor(None) as stranger:
        pages = [stranger.get("/sign-in", headers={"accept-language": said}).text for said in ("de", "en")]

    assert ["pt-BR", "en"] == [re.findall('<html lang="([^"]+)"', text)[0] for text in pages]


def test_why_things_are_planned_or_wait_is_told_in_the_visitors_language(serve: Serve) -> None:
    """What a finding asks for, what sync copies, and what a person must decide on, with what to do about it."""

    def fill(bench: Bench) -> None:
        conflict(bench)
        bench.crms["north"].create_deal("Lacking", stage="qualification", owner="nobody <b>known</b>")
        skipped = bench.crms["north"].create_deal("Skipper", stage="qualification")
        bench.crms["north"].move_deal(skipped.id, "closing")
        bench.crms["north"].create_deal("Nowhere to go", stage="a stage that nobody mapped")

    served = serve(fill=fill, enforce=[{"rule": "*", "action": "task"}], **ASKING)
    said = {}
    with served.visitor() as visitor:
        visitor.post("/plan/make", data=served.form(visitor, pull="yes"))
        served.wait()
        for language in ("en", "pt", "zh"):
            visitor.get(f"/language/{language}")
            said[language] = [visitor.get(path).text for path in ("/plan", "/waiting")]

    (plan, waiting), (piano, pendente), (jihua, daiban) = (said[language] for language in ("en", "pt", "zh"))
    assert [True] * 3 == ["skipped" in plan, "e pulou" in piano, "跳过了" in jihua]
    assert [True] * 3 == ["has no counterpart in" in plan, "não tem correspondente em" in piano, "没有对应" in jihua]
    assert "changed to different values in north and south" in waiting
    assert "mudou para valores diferentes em north e south" in pendente
    assert "在 north 和 south 中改成了不同的值" in daiban
    assert ["Nowhere to go</a>" in text for text in (waiting, pendente, daiban)] == [True] * 3
    foreign = ["The deal", "has no counterpart", "changed to", "Map the value", "Move the deal"]
    assert [] == [each for each in foreign for text in (piano, pendente, jihua, daiban) if each in text]


def test_hostile_text_is_text_on_every_page(serve: Serve) -> None:
    """Names, owners and addresses of a CRM: escaped, without what drives a terminal or turns text around."""

    def fill(bench: Bench) -> None:
        deal = bench.crms["north"].create_deal(HOSTILE, stage="qualification", url="javascript:alert(1)")
        bench.crms["north"].move_deal(deal.id, "closing")
        run_steps(bench.workspace, "cycle")
        refused = {"link": "L1", "deal": deal, "name": f"amount, {HOSTILE}", "reason": f"refused before: {HOSTILE}"}
        bench.workspace.store.waiting.replace(["L1"], [Blocked(**refused, cause=Cause.REFUSED)], bench.clock.now())

    served = serve(fill=fill)
    deals = [one.finding.deal for one in served.bench.workspace.store.findings.findings()]
    assert deals
    run = served.bench.workspace.store.runs.runs(1)[0].id
    with served.visitor() as visitor:
        path = f"/deals/{deals[0].connection}/{quote(deals[0].id, safe='')}"
        texts = [visitor.get(each).text for each in ("/", "/deals", path, f"/runs/{run}", "/waiting")]
        visitor.get("/language/zh")
        texts += [visitor.get(each).text for each in ("/", "/deals", path, f"/runs/{run}", "/waiting")]

    assert 8 <= sum("&lt;script&gt;alert(1)" in text for text in texts)
    for text in texts:
        assert [] == [bad for bad in ("<script", "\u202e", "\x1b", "javascript:alert") if bad in text]


def test_hostile_text_is_text_in_plans_and_what_became_of_them(serve: Serve) -> None:
    """Before they are written, while they are confirmed, and after."""
    served = serve(
        fill=lambda bench: bench.crms["north"].create_deal(HOSTILE, stage="qualification") and None, **ASKING
    )
    with served.visitor() as visitor:
        visitor.post("/plan/make", data=served.form(visitor, pull="yes"))
        served.wait()
        made = served.site.desk.made
        assert made is not None
        texts = [visitor.get(path).text for path in ("/plan", f"/plan/apply?id={made.plan.id}")]
        visitor.post("/plan/apply", data=served.form(visitor, id=made.plan.id))
        served.wait()
        runs = served.bench.workspace.store.runs.runs(1)
        texts += [visitor.get(path).text for path in ("/work", f"/runs/{runs[0].id}", "/deals")]

    assert 2 <= sum("&lt;script&gt;alert(1)" in text for text in texts)
    assert [] == [bad for text in texts for bad in ("<script", "\u202e", "\x1b") if bad in text]


def test_what_the_overview_counts_is_named_where_it_leads(serve: Serve) -> None:
    """Unclear writes with their runs, and the waivers that are about to end with who gave them and why."""

    def fill(bench: Bench) -> None:
        deal = bench.crms["north"].create_deal("Rollout", stage="qualification")
        run_steps(bench.workspace, "cycle")
        store, now = bench.workspace.store, bench.clock.now()
        for rule, days in (("qualification.late", 6), ("qualification.soon", 2), ("qualification.distant", 8)):
            until = now + timedelta(days=days)
            store.waivers.put(Waiver(deal=deal, rule=rule, by=HOSTILE, why="a pilot", until=until, at=now))
        store.journal.intend("r1", [make_change(target=deal, edits=(FieldEdit("owner", "1", HOSTILE),))], now)

    served = serve(fill=fill)
    with served.visitor("read") as visitor:
        overview, waiting = visitor.get("/").text, visitor.get("/waiting").text
    unclear, ending = (part.partition("</section>")[0] for part in waiting.split('<section aria-labelledby="')[1:])

    assert ["/waiting#unclear", "/waiting#ending"] == re.findall('href="(/waiting#[^"]+)"', overview)
    assert [True] * 3 == [each in unclear for each in (">Rollout</a>", "north: update", "/runs/r1")]
    assert ["soon", "late"] == re.findall("Qualification: (\\w+)", ending)
    assert ("a pilot" in ending, "&lt;script&gt;" in ending, "<script" in waiting) == (True, True, False)
    assert "Nothing waits for a person." not in waiting


def test_a_monitor_reads_figures_and_no_text(serve: Serve) -> None:
    """With a token of any role; what is counted agrees with the state."""

    def fill(bench: Bench) -> None:
        conflict(bench)
        store, now = bench.workspace.store, bench.clock.now()
        deal = (
            next(one.finding.deal for one in store.findings.findings())
            if store.findings.findings()
            else Ref("north", Kind.DEAL, "1")
        )
        store.waivers.put(Waiver(deal=deal, rule="x.y", by="me", why="so", until=now + timedelta(days=2), at=now))
        bench.clock.advance(timedelta(minutes=5))

    served = serve(fill=fill, **ASKING)
    with served.visitor(None) as monitor:
        answer = monitor.get("/metrics", headers={"authorization": f"Bearer {TOKENS['read']}"})
        wrong = monitor.get("/metrics", headers={"authorization": "Bearer guessed"})
    lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))

    assert (200, 401) == (answer.status_code, wrong.status_code)
    assert ("1.0", "1.0", "300.0", "7.0") == tuple(
        lines[f"crmbridge_{name}"]
        for name in ('waiting{cause="conflict"}', "waivers_ending", "last_run_age_seconds", "last_run_exit_code")
    )
    applied = [e for e in served.bench.workspace.store.journal.entries() if e.outcome == "applied"]
    assert str(float(len(applied))) == lines['crmbridge_journal_outcomes_total{outcome="applied"}']
    assert "Rollout" not in answer.text


def test_a_bug_tells_a_stranger_nothing(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A page in style, without how it came about; the log names the kind."""
    served = serve()
    served.bench.workspace.store.close()
    force_setattr(served.site, "board", None)
    with served.visitor() as visitor:
        answer = visitor.get("/deals")

    assert (500, True, False) == (answer.status_code, "Something went wrong" in answer.text, "NoneType" in answer.text)
    assert "AttributeError" in caplog.text


def test_the_numbers_of_the_overview_lead_to_as_many_deals(serve: Serve) -> None:
    """Those that are held, late, and due soon; no deal beside them."""

    def fill(bench: Bench) -> None:
        run_steps(bench.workspace, "cycle")
        due = sorted(one.due_at for one in held_deals(bench.workspace) if one.is_open and one.due_at)
        bench.clock.advance(due[len(due) // 2] - bench.clock.now() - timedelta(hours=1))

    served = serve(deals=300, fill=fill, parts={"north": (0.0, 1.0)})
    card = re.compile(r'class="value">(\d+)</span><span class="label"><a href="(/deals[^"]*)"')
    with served.visitor() as visitor:
        overview = visitor.get("/").text
        found = card.findall(overview)
        listed = [re.findall(r" of (\d+)</p>", visitor.get(path).text) for _, path in found]

    assert ["/deals", "/deals?time=over", "/deals?time=day"] == [path for _, path in found]
    assert [[number] for number, _ in found] == listed
    assert 3 == len({number for number, _ in found} - {"0"})
    stages = overview.split('<ul class="bars">')[1].partition("</ul>")[0]
    counts = re.findall(r"<b>(\d+)</b>", stages)
    assert int(found[0][0]) == sum(map(int, counts))
    with served.visitor() as visitor:
        paths = re.findall('href="(/deals[^"]+)"', stages)
        assert counts == [number for path in paths for number in re.findall(r" of (\d+)</p>", visitor.get(path).text)]
        assert "/deals?stage=-" == paths[-1]


def test_pages_of_many_deals_are_small_and_in_one_order(serve: Serve) -> None:
    """Each deal once over all pages, the least time left first; no page is larger than 300 KB."""
    served = serve(
        deals=1200, fill=lambda bench: run_steps(bench.workspace, "cycle") and None, parts={"north": (0.0, 1.0)}
    )
    held = [one for one in served.site.board.held().deals if one.is_open]
    seen: list[str] = []
    with served.visitor() as visitor:
        for number in range(1, -(-len(held) // 50) + 1):
            answer = visitor.get(f"/deals?page={number}")
            assert len(answer.content) < 300_000
            seen += [part.split('"')[0] for part in answer.text.split('<th scope="row"><a href="')[1:]]
        last = visitor.get("/deals?page=99999").text

    assert len(held) > 100
    assert [f"/deals/north/{one.deal.id}" for one in held] == seen
    assert f'"{seen[-1]}"' in last


def test_stages_that_are_written_are_named_in_the_visitors_language(serve: Serve) -> None:
    """In a plan, and in what became of it."""
    name = {"en": "Qualification", "pt": "Qualificação"}
    stages = [make_stage("qualification", name=name), make_stage("proposal"), make_stage("closing")]
    process = make_process(languages=["en", "pt"], stages=[*stages, make_stage("care", status="won")])
    served = serve(
        process=process,
        fill=lambda bench: bench.crms["north"].create_deal("New", stage="qualification") and None,
        **ASKING,
    )
    with served.visitor() as visitor:
        visitor.get("/language/pt")
        visitor.post("/plan/make", data=served.form(visitor, pull="yes"))
        served.wait()
        made = served.site.desk.made
        assert made is not None
        plan = visitor.get("/plan").text
        visitor.post("/plan/apply", data=served.form(visitor, id=made.plan.id))
        served.wait()
        run = visitor.get(f"/runs/{served.bench.workspace.store.runs.runs(1)[0].id}").text

    assert ("criar (negócio)" in plan, "<ins>Qualificação</ins>" in plan, "Etapa: Qualificação" in run) == (True,) * 3


def test_an_sla_is_called_as_the_process_names_it(serve: Serve) -> None:
    """What deals are held by has the name of the process file; an SLA of the whole process has no stage before it."""
    touch = {"kind": "first_touch", "goal": "1h"}
    stages = [make_stage("qualification", slas=[{"id": "touch", "name": "Touched at once", **touch}])]
    stages += [make_stage("proposal"), make_stage("closing"), make_stage("care", status="won")]
    process = make_process(stages=stages, slas=[{"id": "silent", "name": "Never silent", **touch}])

    def fill(bench: Bench) -> None:
        deal = bench.crms["north"].create_deal("Rollout", stage="qualification")
        run_steps(bench.workspace, "cycle")
        broken = tuple(make_finding(deal=deal, rule=rule) for rule in ("qualification.touch", "sla.silent"))
        bench.workspace.store.findings.save([make_evaluation(deal=deal, findings=broken)], bench.clock.now())

    with serve(process=process, fill=fill).visitor() as visitor:
        start = visitor.get("/").text

    assert "Qualification: Touched at once" in start
    assert ">Never silent<" in start


def test_figures_that_cannot_be_counted_cost_only_themselves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The other pages go on, and the log says why."""
    from crmbridge.errors import ConfigurationError  # noqa: PLC0415  for this test alone
    from crmbridge.web.board import Board  # noqa: PLC0415  the same

    def refuse() -> Mapping[str, Document]:
        raise ConfigurationError("a rate is missing")

    board = Board(make_bench().workspace, refuse)
    assert board.is_counting
    board.refresh()

    assert (None, False, ()) == (board.report("en"), board.is_counting, board.held().deals)
    assert "a rate is missing" in caplog.text


def test_closing_does_not_wait_for_figures(caplog: pytest.LogCaptureFixture) -> None:
    """They are counted in a process of its own, which is ended without a word: nobody would see them."""
    from crmbridge.indicators.elsewhere import elsewhere  # noqa: PLC0415  for this test alone
    from crmbridge.web.board import Board  # noqa: PLC0415  the same

    counts = threading.Event()

    def write() -> Mapping[str, Document]:
        counts.set()
        elsewhere(time.sleep, 60)
        return {}

    board = Board(make_bench().workspace, write)
    board.start()
    assert counts.wait(30)
    begun = time.monotonic()
    board.close()

    assert time.monotonic() - begun < 20
    assert [] == caplog.messages
