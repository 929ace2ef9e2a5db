"""TLS as Python's `ssl` does it, from librdkafka's properties: for kafka-python."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from eoscheck.errors import UsageError


def ssl_context(client_config: Mapping[str, str]) -> ssl.SSLContext:
    """What `client_config` trusts, and the certificate and key that it shows (PEM in files or in
    the properties themselves, or PKCS12).

    Raises UsageError, which shows no secret, for a file that cannot be read, or a wrong password.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client_config.get("ssl.endpoint.identification.algorithm", "https").lower() == "none":
        context.check_hostname = False
    if client_config.get("enable.ssl.certificate.verification", "true").lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with _named("the trust store"):
        _load_trusted(context, client_config)
    with _named("the key store"):
        _load_own(context, client_config)
    return context


def _load_trusted(context: ssl.SSLContext, client_config: Mapping[str, str]) -> None:
    location, pem = client_config.get("ssl.ca.location"), client_config.get("ssl.ca.pem")
    if pem is not None:
        context.load_verify_locations(cadata=pem)
    if location is not None and Path(location).is_dir():
        context.load_verify_locations(capath=location)
    elif location is not None:
        context.load_verify_locations(cafile=location)
    elif pem is None:
        context.load_default_certs()
    if "ssl.crl.location" in client_config:
        context.load_verify_locations(cafile=client_config["ssl.crl.location"])
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _load_own(context: ssl.SSLContext, client_config: Mapping[str, str]) -> None:
    # An empty password where none is given: OpenSSL would ask for it on the terminal.
    password = client_config.get("ssl.key.password", "")
    if "ssl.keystore.location" in client_config:
        store = Path(client_config["ssl.keystore.location"]).read_bytes()
        once = secrets.token_hex()
        pem = _from_pkcs12(store, client_config.get("ssl.keystore.password"), once)
        _load_pem(context, certificate=pem, key=pem, password=once)
    elif "ssl.certificate.pem" in client_config:
        certificate = client_config["ssl.certificate.pem"]
        key = client_config.get("ssl.key.pem", certificate)
        _load_pem(context, certificate=certificate, key=key, password=password)
    elif "ssl.certificate.location" in client_config:
        context.load_cert_chain(
            client_config["ssl.certificate.location"],
            client_config.get("ssl.key.location"),
            password,
        )


def _load_pem(context: ssl.SSLContext, *, certificate: str, key: str, password: str) -> None:
    """Through files that only we can read, and only for a moment: `ssl` takes nothing else."""
    with TemporaryDirectory(prefix="eoscheck-tls-") as folder:  # mode 0700
        files = Path(folder, "certificate.pem"), Path(folder, "key.pem")
        for file, text in zip(files, (certificate, key), strict=True):
            file.write_text(text)
        context.load_cert_chain(*files, password)


def _from_pkcs12(store: bytes, password: str | None, once: str) -> str:
    """Key and certificates as PEM, the key encrypted with the password `once`."""
    try:
        from cryptography.hazmat.primitives.serialization import (
            BestAvailableEncryption,
            Encoding,
            PrivateFormat,
            pkcs12,
        )
    except ImportError:
        raise UsageError(
            "a PKCS12 key store needs a package more: pip install cryptography (or convert it: "
            "openssl pkcs12 -in STORE -out client.pem, and set 'ssl.keystore.type' to PEM)"
        ) from None
    key, certificate, others = pkcs12.load_key_and_certificates(
        store, None if password is None else password.encode()
    )
    if key is None or certificate is None:
        raise UsageError("the key store holds no key with its certificate")
    parts = [
        key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(once.encode())
        ),
        *(each.public_bytes(Encoding.PEM) for each in (certificate, *others)),
    ]
    return b"".join(parts).decode()


@contextmanager
def _named(store: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise UsageError(
            f"{store} cannot be read ({reason}): are its path, its type and its password right?"
        ) from error
