"""A plugin whose CRM is a file, so that tests can run the command line in processes of its own against it.

What goes wrong next stands in a file beside it: `NAME.trouble` holds one of the words that `_trouble` knows, or the
address of a server to sign in at.
"""

from __future__ import annotations

import contextlib
import hmac
import pickle
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crmbridge.errors import AuthenticationError, RetryLaterError
from crmbridge.hookspecs import hookimpl
from crmbridge.http import Budget, Dialect, HttpClient, Rate
from crmbridge.model.changes import Action, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.plugins import AdapterSpec, SandboxSpec
from crmbridge.ports import (
    AdapterContext,
    Capabilities,
    Clock,
    Description,
    GuardRequest,
    Guards,
    Hints,
    LeftOut,
    Page,
    WebhookRequest,
    WebhookSpec,
)
from crmbridge.sandbox import RateWindow, Sandbox, SandboxOptions, Vendor, assemble
from crmbridge.secrets import reveal
from crmbridge.settings import AdapterSettings, Secret, SettingsPart
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.fake_records import PIPELINE

LONG = 600  # seconds; no test waits for its end


class FileCrmSettings(AdapterSettings):
    """Where the file is, and a credential that is fetched as real ones are."""

    file: str
    token: Secret


class FileAdapter:
    """Speaks to a FakeCrm that is kept in a file."""

    def __init__(self, file: Path, clock: Clock, secret: str) -> None:
        self._file = file
        self._clock = clock
        self._secret = secret
        self._crm: FakeCrm = pickle.loads(file.read_bytes())  # noqa: S301  the test wrote it
        self._inner = FakeAdapter(self._crm)

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def describe(self) -> Description:
        self._trouble("read")
        return self._inner.describe()

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        self._trouble("read")
        yield from self._inner.pull(kind, since)

    def read(
        self,
        refs: Sequence[Ref],
        *,
        fields: Collection[str] | None = None,
    ) -> Mapping[Ref, Record]:
        return self._inner.read(refs)

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        return self._inner.find(kind, key, near)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        self._trouble("write")
        if self._knows_no_tasks() and changes[0].action is Action.TASK:
            return [Receipt(change=c.id, outcome=Outcome.REFUSED, message="it knows no such task") for c in changes]
        receipts = self._inner.write(changes)
        self._file.write_bytes(pickle.dumps(self._crm))
        return receipts

    def close(self) -> None:
        self._inner.close()

    def _knows_no_tasks(self) -> bool:
        asked = self._file.with_suffix(".trouble")
        return asked.exists() and asked.read_text("utf-8") == "no tasks"

    def _trouble(self, when: str) -> None:
        asked = self._file.with_suffix(".trouble")
        match asked.read_text("utf-8") if asked.exists() else "":
            case "revoked":
                raise AuthenticationError("The credential is refused", advice="Make a new one.")
            case "later":
                raise RetryLaterError("The CRM can't be reached")
            case "leak":
                raise AuthenticationError(f"The credential {self._secret} is refused")
            case "bug":
                raise RuntimeError(f"did not expect {self._secret} at https://crm.invalid/?key={self._secret}")
            case word if word.startswith("http"):
                self._sign_in(word)
            case word if word == f"hang in {when}":
                self._file.with_suffix(".hanging").touch()
                self._clock.sleep(LONG)
            case _:
                return

    def _sign_in(self, url: str) -> None:
        """Ask a server whether the credential is right, as an adapter of a real CRM does with every request."""
        budget = Budget([Rate(100, 1)], self._clock)
        headers = {"Authorization": f"Bearer {self._secret}"}
        client = HttpClient(
            connection="north",
            base_url=url,
            clock=self._clock,
            budget=budget,
            headers=headers,
            dialect=Dialect(judge=lambda _: None),
        )
        with contextlib.closing(client):
            client.read("GET", "/")


def _open(settings: FileCrmSettings, context: AdapterContext) -> FileAdapter:
    return FileAdapter(Path(settings.file), context.clock, reveal(settings.token).get_secret_value())


def _build(options: SandboxOptions) -> Sandbox:
    def hello(_request: Request) -> Response:
        return JSONResponse({"deals": options.deals, "seed": options.seed})

    def refused(request: Request) -> Response:
        return JSONResponse({"message": f"who is {request.headers.get('authorization')}?"}, 401)

    def limited(_request: Request, _window: RateWindow | None, _after: int | None) -> Response:
        return JSONResponse({}, 429)

    def accepts(request: Request, token: str) -> bool:
        return request.headers.get("authorization") == f"Bearer {token}"

    vendor = Vendor(accepts=accepts, refused=refused, limited=limited)
    return assemble(name="filecrm", state=None, routes=[Route("/", hello)], vendor=vendor, options=options)


class HookSettings(SettingsPart):
    """The word that deliveries must say."""

    word: Secret


def _read(settings: HookSettings, request: WebhookRequest) -> Hints:
    said = request.headers.get("x-word", "")
    if not hmac.compare_digest(said.encode(), reveal(settings.word).get_secret_value().encode()):
        raise AuthenticationError("the word is wrong")
    deal = request.body.decode()
    return Hints(refs=(Ref(request.connection, Kind.DEAL, deal),), deliveries=(deal,))


def _guards(request: GuardRequest) -> Guards:
    left = LeftOut(rule="qualification.who", why=f"{request.native('decision_maker')} can't be required")
    return Guards(files={"rules.txt": "none\n"}, steps=("Load rules.txt.",), left_out=(left,))


@hookimpl
def crmbridge_adapters() -> Iterable[AdapterSpec]:
    webhooks = WebhookSpec(settings=HookSettings, read=_read)
    spec = AdapterSpec(
        name="filecrm",
        summary="A CRM in a file",
        settings=FileCrmSettings,
        open=_open,
        webhooks=webhooks,
        guards=_guards,
    )
    return [spec]


@hookimpl
def crmbridge_sandboxes() -> Iterable[SandboxSpec]:
    return [
        SandboxSpec(
            name="filecrm",
            summary="Says hello",
            build=_build,
            pipeline=PIPELINE,
            stages={},
            fields={},
            example="-H 'Authorization: Bearer {token}' {url}/",
        )
    ]
