"""Whom a client believes to be the server it asked for."""

from __future__ import annotations

import functools
import ssl

from crmbridge.errors import ConfigurationError
from crmbridge.http.library import httpx


def authorities_for(base_url: str) -> ssl.SSLContext:
    """Give what judges a server's certificate. It is made once; authorities are read only where something is encrypted.

    Reading the usual authorities (or those of SSL_CERT_FILE and SSL_CERT_DIR) takes longer than asking a server on this
    machine, which is the only kind that plain http:// may reach; a client of such a one believes no certificate at all.
    """
    return _none() if base_url.startswith("http://") else _usual()


@functools.cache
def _none() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@functools.cache
def _usual() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError:
        raise ConfigurationError(
            "The certificates of authorities can't be read",
            advice="Let SSL_CERT_FILE name a file with certificates in PEM form, or set neither it nor SSL_CERT_DIR.",
        ) from None
