"""Open the sink that an entry of the settings names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from crmbridge.errors import ConfigurationError
from crmbridge.ports import Sink
from crmbridge.report.sinks.files import FORMS, FileSink
from crmbridge.settings import Secret
from crmbridge.sink_settings import EmailEntry, WebhookEntry, explained

if TYPE_CHECKING:
    from crmbridge.plugins import SinkSpec

M = TypeVar("M", bound=BaseModel)


class Around(NamedTuple):
    """What a sink is opened in: the folder that paths count from, and the clock."""

    folder: Path
    now: Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


def open_sink(
    entry: Mapping[str, Any],
    folder: Path,
    extra: Mapping[str, SinkSpec],
    now: Callable[[], datetime] = _now,
) -> Sink:
    """Open the sink of an entry with one key, such as `{html: reports/}`; paths count from `folder`.

    `extra` are the sinks of plugins by name. Raises ConfigurationError for an entry that names no sink or is not
    what its sink reads. Nothing is sent or written yet, and secrets are fetched only at delivery.
    """
    if len(entry) != 1:
        raise ConfigurationError(
            f"A sink is one key with its settings; this entry has {', '.join(map(str, entry)) or 'none'}.",
            advice="Write each sink as an entry of its own, such as - html: reports/",
        )
    name, value = next(iter(entry.items()))
    if name in _OWN:
        return _OWN[name](value, Around(folder, now))
    if name in extra:
        settings = read_entry(extra[name].settings, value, name)
        sink: Sink = extra[name].open(settings)
        return sink
    raise ConfigurationError(
        f"There is no sink {name!r}.", advice=f"Use one of: {', '.join(sorted({*_OWN, 'crm', *extra}))}."
    )


def _file(form: str, value: Any, around: Around) -> Sink:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(
            f"The sink `{form}` needs a folder or a file.", advice=f"Write it as `{form}: reports/`."
        )
    return FileSink(form, around.folder / Path(value).expanduser())


def _slack(value: Any, around: Around) -> Sink:  # noqa: ARG001  every opener takes what is around it
    from crmbridge.report.sinks.slack import SlackSink  # noqa: PLC0415  httpx, for those who post

    return SlackSink(_secret("slack", "its webhook's URL", "SLACK_URL", value))


def _apprise(value: Any, around: Around) -> Sink:  # noqa: ARG001  every opener takes what is around it
    from crmbridge.report.sinks.others import AppriseSink  # noqa: PLC0415  the same

    return AppriseSink(_secret("apprise", "the place's URL", "APPRISE_URL", value))


def _email(value: Any, around: Around) -> Sink:
    from crmbridge.report.sinks.mailing import MailSink  # noqa: PLC0415  templates and TLS, for those who mail

    return MailSink(read_entry(EmailEntry, value, "email"), around.folder, around.now)


def _webhook(value: Any, around: Around) -> Sink:
    from crmbridge.report.sinks.webhook import WebhookSink  # noqa: PLC0415  httpx, for those who post

    return WebhookSink(read_entry(WebhookEntry, value, "webhook"), around.now)


def _secret(name: str, what: str, example: str, value: Any) -> Secret:
    """Read where a secret is kept. One that is written out is refused unseen: it would be a secret in a file."""
    try:
        return Secret.model_validate(value)
    except ValidationError:
        raise ConfigurationError(
            f"The sink `{name}` must say where {what} is kept, not what it is.",
            advice=f"Write `{name}: {{env: {example}}}` and put the URL into that environment variable.",
        ) from None


def read_entry(model: type[M], value: Any, name: str) -> M:
    """Read a sink's settings by its model; raises ConfigurationError that shows no value."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ConfigurationError(
            f"The settings of the sink {name!r} are wrong: {explained(error)}.", advice=_ADVICE
        ) from None


_ADVICE = "Mend the entry under `reports` or `notices` in the settings file."
_OWN: Mapping[str, Callable[[Any, Around], Sink]] = MappingProxyType(
    {
        **{form: partial(_file, form) for form in FORMS},
        "slack": _slack,
        "email": _email,
        "webhook": _webhook,
        "apprise": _apprise,
    }
)
