"""Whom a client believes to be the server it asked for."""

import ssl

from crmbridge.http.trust import authorities_for


class TestAuthorities:
    def test_an_encrypted_server_must_prove_its_name_to_the_usual_authorities(self) -> None:
        """As with any client of httpx."""
        found = authorities_for("https://api.example.com")

        assert (ssl.CERT_REQUIRED, True) == (found.verify_mode, found.check_hostname)
        assert found.cert_store_stats()["x509_ca"] > 50

    def test_they_are_read_once(self) -> None:
        """It takes 20 ms, and an adapter may have several clients."""
        assert authorities_for("https://a.example.com") is authorities_for("https://b.example.com")

    def test_a_client_of_this_machine_believes_no_certificate(self) -> None:
        """It asks nobody else; were it to, it would be refused rather than led astray."""
        found = authorities_for("http://127.0.0.1:8000")

        assert (ssl.CERT_REQUIRED, True) == (found.verify_mode, found.check_hostname)
        assert found.cert_store_stats()["x509_ca"] == 0
