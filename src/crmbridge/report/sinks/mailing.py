"""Send a report by mail over SMTP: encrypted, verified, and not twice."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parseaddr
from pathlib import Path

from msgspec import Struct

from crmbridge.engine.text import plain
from crmbridge.errors import AuthenticationError, ConfigurationError, CrmbridgeError, RetryLaterError, UnclearError
from crmbridge.ports import Document
from crmbridge.report.sinks.cutting import ALTOGETHER, Deadline, cut_after
from crmbridge.report.sinks.letters import letter
from crmbridge.secrets import reveal
from crmbridge.sink_settings import EmailEntry

_ADVICE = "Mend the entry under the sink `email`; your mail server's operator knows host, port and login."


class _Session(smtplib.SMTP):
    """A conversation with a mail server, whose socket is watched from the first moment: the greeting may drip, too.

    With `trust` it is encrypted from the start. smtplib's own class for that keeps its socket to itself until then.
    """

    def __init__(self, entry: EmailEntry, deadline: Deadline, trust: ssl.SSLContext | None) -> None:
        self._deadline = deadline
        self._trust = trust
        super().__init__(entry.host.strip("[]"), entry.number, timeout=entry.timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # where smtplib connects
        opened = socket.create_connection((host, port), timeout)
        self._deadline.watch(opened)
        return self._trust.wrap_socket(opened, server_hostname=host) if self._trust else opened

    def getreply(self) -> tuple[int, bytes]:
        """Read an answer; the beginning of one that was cut off is none, though smtplib takes it for one."""
        code, said = super().getreply()
        if self._deadline.is_over:
            self.close()
            raise smtplib.SMTPServerDisconnected("cut off")
        return code, said


class MailSink(Struct, frozen=True):
    """Sends a report to the people that the settings name. Paths count from `folder`."""

    entry: EmailEntry
    folder: Path
    now: Callable[[], datetime]

    def deliver(self, document: Document) -> str:
        """Send it and say to how many, and to whom the server would not.

        Raises RetryLaterError while nothing was sent and later may do, AuthenticationError when the login is refused,
        ConfigurationError when the server is not trusted or refuses the mail, UnclearError when it took the mail and
        never answered.
        """
        content = letter(document, self.entry, self.now()).as_bytes()
        with cut_after(self.entry.timeout * ALTOGETHER) as deadline, self._session(deadline) as session:
            refused = _addressed(session, self.entry)
            _sent(session, content)
        told = len(self.entry.to) - len(refused)
        where = f"{told} mail address{'es' if told != 1 else ''}"
        return f"{where}; the server refused {', '.join(refused)}" if refused else where

    @contextlib.contextmanager
    def _session(self, deadline: Deadline) -> Iterator[smtplib.SMTP]:
        """Connect, encrypt and sign in; what goes wrong before the mail is sent has sent nothing."""
        with _before_it_is_sent(self.entry):
            session = _Session(self.entry, deadline, self._trust() if self.entry.tls == "implicit" else None)
        try:
            with _before_it_is_sent(self.entry):
                session.ehlo_or_helo_if_needed()
                if self.entry.tls == "starttls":
                    session.starttls(context=self._trust())
                    session.ehlo()
                if self.entry.user is not None and self.entry.password is not None:
                    session.login(self.entry.user, reveal(self.entry.password).get_secret_value())
            yield session
            with contextlib.suppress(smtplib.SMTPException, OSError):  # it is sent; how we part matters to nobody
                session.quit()
        finally:
            session.close()

    def _trust(self) -> ssl.SSLContext:
        """Trust the system's certificates, or those that the settings name; the server's name must be in its own."""
        file = None if self.entry.ca is None else str(self.folder / Path(self.entry.ca).expanduser())
        try:
            return ssl.create_default_context(cafile=file)
        except (OSError, ssl.SSLError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise ConfigurationError(f"The certificates in {file} can't be read ({why}).", advice=_ADVICE) from None


def _addressed(session: smtplib.SMTP, entry: EmailEntry) -> list[str]:
    """Name sender and receivers; give those that are refused, unless it is all of them."""
    refused: dict[str, tuple[int, bytes]] = {}
    with _before_it_is_sent(entry):
        code, said = session.mail(parseaddr(entry.from_)[1])
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, said, entry.from_)
        for receiver in entry.to:
            address = parseaddr(receiver)[1]
            code, said = session.rcpt(address)
            if code not in {250, 251}:
                refused[address] = (code, said)
        if len(refused) == len(entry.to):
            raise smtplib.SMTPRecipientsRefused(refused)
    return list(refused)


def _sent(session: smtplib.SMTP, content: bytes) -> None:
    """Hand the mail over. From here on a connection that breaks may have broken after the server took it."""
    try:
        code, said = session.data(content)
    except smtplib.SMTPDataError as error:  # the server would not even begin
        raise _refused(error.smtp_code, error.smtp_error) from None
    except (smtplib.SMTPException, OSError):
        raise UnclearError(
            "The mail server took the report and did not answer, so it may have been sent.",
            advice="Look into the mailbox before sending it again.",
        ) from None
    if code != 250:
        raise _refused(code, said)


@contextlib.contextmanager
def _before_it_is_sent(entry: EmailEntry) -> Iterator[None]:
    """Turn what smtplib raises while nothing was sent into what a person can do about it."""
    where = f"The mail server {entry.host}"
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        why = plain(error.verify_message or "its certificate can't be verified", 100)
        raise ConfigurationError(
            f"{where} is not who it says it is ({why}).",
            advice="Name the server as its certificate does, or its own certificate authority by `ca`.",
        ) from None
    except smtplib.SMTPNotSupportedError:
        raise ConfigurationError(
            f"{where} offers no encryption, or no login; nothing is sent in the clear.", advice=_ADVICE
        ) from None
    except smtplib.SMTPAuthenticationError as error:
        if 400 <= error.smtp_code < 500:
            raise RetryLaterError(f"{where} can't check the login now ({error.smtp_code}).") from None
        raise AuthenticationError(f"{where} refused the login ({error.smtp_code}).", advice=_ADVICE) from None
    except smtplib.SMTPRecipientsRefused as error:
        code, said = min(error.recipients.values())
        raise _refused(code, said) from None
    except smtplib.SMTPResponseException as error:
        raise _refused(error.smtp_code, error.smtp_error) from None
    except ssl.SSLError:
        raise ConfigurationError(
            f"{where} does not speak TLS on port {entry.number} in the way that `tls: {entry.tls}` asks for.",
            advice=_ADVICE,
        ) from None
    except (smtplib.SMTPException, OSError):
        raise RetryLaterError(
            f"{where} can't be reached on port {entry.number}.",
            advice="Nothing was sent: try again later. If it stays so, look at host and port under the sink `email`.",
        ) from None


def _refused(code: int, said: bytes | str) -> CrmbridgeError:
    """Tell a refusal for now (4yz) from one for good (5yz), in the server's words (RFC 5321, 4.2.1)."""
    words = plain(said.decode("utf-8", "replace") if isinstance(said, bytes) else said, 120)
    if 400 <= code < 500 or code == -1:
        return RetryLaterError(f"The mail server takes no mail now ({code} {words}).")
    return ConfigurationError(f"The mail server refused the mail ({code} {words}).", advice=_ADVICE)
