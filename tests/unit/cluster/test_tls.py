"""What Python's `ssl` is told of librdkafka's properties."""

from __future__ import annotations

import builtins
import ssl
import tempfile
from pathlib import Path
from typing import Any

import pytest

from eoscheck.cluster.admin_client import admin_config
from eoscheck.cluster.oauth import ClientCredentials
from eoscheck.cluster.tls import ssl_context
from eoscheck.errors import UsageError
from tests.integration.cluster.secured import STORE_PASSWORD, Authority, Issued


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def issued(authority: Authority) -> Issued:
    return authority.issue("somebody")


def test_certificates_and_host_names_are_checked_unless_switched_off(authority: Authority) -> None:
    trusted = {"ssl.ca.location": str(authority.file)}
    strict = ssl_context(trusted)
    assert strict.check_hostname
    assert strict.verify_mode is ssl.CERT_REQUIRED
    assert strict.minimum_version >= ssl.TLSVersion.TLSv1_2
    any_name = ssl_context({**trusted, "ssl.endpoint.identification.algorithm": "none"})
    assert not any_name.check_hostname
    assert any_name.verify_mode is ssl.CERT_REQUIRED
    anybody = ssl_context({"enable.ssl.certificate.verification": "false"})
    assert anybody.verify_mode is ssl.CERT_NONE


def test_only_the_named_authority_is_trusted(authority: Authority) -> None:
    for trusted in ({"ssl.ca.location": str(authority.file)}, {"ssl.ca.pem": authority.pem}):
        (only,) = ssl_context(trusted).get_ca_certs()
        assert only["subject"] == ((("commonName", "eoscheck tests"),),)


def test_no_key_is_left_in_a_file_and_none_is_written_in_the_clear(
    issued: Issued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    written: list[str] = []
    write_text = Path.write_text

    def spy(self: Path, text: str, **options: Any) -> int:
        written.append(text)
        assert self.parent.stat().st_mode & 0o077 == 0
        return write_text(self, text, **options)

    monkeypatch.setattr(Path, "write_text", spy)
    ssl_context(
        {
            "ssl.keystore.location": str(issued.pkcs12),
            "ssl.keystore.password": STORE_PASSWORD,
        }
    )
    assert any("BEGIN ENCRYPTED PRIVATE KEY" in text for text in written)
    assert not any("BEGIN PRIVATE KEY" in text for text in written)
    ssl_context({"ssl.certificate.pem": issued.certificate, "ssl.key.pem": issued.key})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("properties", "complaint"),
    [
        ({"ssl.ca.location": "/no/such.pem"}, "the trust store cannot be read .No such file"),
        ({"ssl.ca.pem": "nonsense"}, "the trust store cannot be read"),
        ({"ssl.keystore.location": "/no/such.p12"}, "the key store cannot be read .No such file"),
        ({"ssl.certificate.location": "/no/such.pem"}, "the key store cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_line(properties: dict[str, str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        ssl_context(properties)
    assert "\n" not in str(caught.value)


def test_an_encrypted_key_without_its_password_is_refused_and_not_asked_for(
    issued: Issued,
) -> None:
    with pytest.raises(UsageError, match=r"its password right\?"):
        ssl_context({"ssl.certificate.location": str(issued.encrypted_pem)})


def test_a_pkcs12_store_without_its_package_names_the_fix(
    issued: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match="pip install cryptography"):
        ssl_context({"ssl.keystore.location": str(issued.pkcs12)})


def test_kafka_python_is_given_the_same_connection(authority: Authority) -> None:
    config = admin_config(
        {
            "bootstrap.servers": "a:1,b:2",
            "security.protocol": "sasl_ssl",
            "sasl.mechanisms": "OAUTHBEARER",
            "sasl.oauthbearer.token.endpoint.url": "https://x/t",
            "ssl.ca.location": str(authority.file),
            "client.id": "me",
            "fetch.wait.max.ms": "5",
        }
    )
    assert config.keys() == {
        "bootstrap_servers",
        "client_id",
        "sasl_mechanism",
        "sasl_oauth_token_provider",
        "security_protocol",
        "ssl_context",
    }
    assert (config["bootstrap_servers"], config["security_protocol"]) == (
        ["a:1", "b:2"],
        "SASL_SSL",
    )
    assert isinstance(config["sasl_oauth_token_provider"], ClientCredentials)
    with pytest.raises(UsageError, match=r"GSSAPI: supported are PLAIN, .*OAUTHBEARER"):
        admin_config(
            {
                "bootstrap.servers": "a:1",
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanisms": "GSSAPI",
            }
        )
