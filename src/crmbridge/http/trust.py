"""Whom a client believes to be the server it asked for."""

from __future__ import annotations

import functools
import ssl

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
    return httpx.create_ssl_context()
