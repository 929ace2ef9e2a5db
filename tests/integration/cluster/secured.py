"""A broker that wants a login, and lets everybody do only what they may (StandardAuthorizer).

Its port CLIENT speaks SASL_SSL (PLAIN, SCRAM, OAUTHBEARER) or SSL with client certificates. Its
port DIRECT is the tests' own way in: ANONYMOUS is a super user there.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from eoscheck.cluster.addresses import ClientListener
from eoscheck.cluster.embedded import start_embedded
from eoscheck.cluster.node_cluster import NodeCluster
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.process import Supervisor

PASSWORD = 'correct; horse="battery" \\ staple'
"""Everybody's here: what has to be quoted in a JAAS configuration."""
STORE_PASSWORD = "key-store-password"
USERS = ("auditor", "stranger")
_PACKAGE = "org.apache.kafka.common.security"
_WAIT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A key and its certificate, in the shapes that key stores have."""

    certificate: str
    key: str
    pem: Path
    encrypted_pem: Path
    pkcs12: Path


class Authority:
    """Signs certificates for 127.0.0.1, valid for a day."""

    def __init__(self, folder: Path, name: str = "eoscheck tests") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self._certificate = builder.sign(self._key, hashes.SHA256())
        self.pem = self._certificate.public_bytes(Encoding.PEM).decode()
        self.file = folder / f"{name}.pem".replace(" ", "-")
        self.file.write_text(self.pem)

    def issue(self, name: str) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = self._builder(subject, key.public_key()).add_extension(
            x509.SubjectAlternativeName([loopback]), critical=False
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        encryption = BestAvailableEncryption(STORE_PASSWORD.encode())

        def key_pem(how: Any) -> str:
            return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode()

        chain = certificate.public_bytes(Encoding.PEM).decode()
        files = [self._folder / f"{name}{ending}" for ending in (".pem", ".encrypted.pem", ".p12")]
        files[0].write_text(key_pem(NoEncryption()) + chain)
        files[1].write_text(key_pem(encryption) + chain)
        files[2].write_bytes(
            pkcs12.serialize_key_and_certificates(
                name.encode(), key, certificate, [self._certificate], encryption
            )
        )
        return Issued(
            certificate=chain,
            key=key_pem(NoEncryption()),
            pem=files[0],
            encrypted_pem=files[1],
            pkcs12=files[2],
        )

    def _builder(self, subject: x509.Name, key: Any) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )


@dataclass(frozen=True, kw_only=True)
class Secured:
    """A running broker. `properties` writes a client properties file as Kafka's tools take it."""

    embedded: NodeCluster
    authority: Authority
    folder: Path

    @property
    def servers(self) -> str:
        return self.embedded.bootstrap_servers

    @property
    def inside(self) -> dict[str, str]:
        """librdkafka properties of a super user."""
        return self.embedded.client_config

    def properties(self, name: str, **properties: str) -> Path:
        """Underscores in the names stand for dots."""
        return write_properties(
            self.folder / f"{name}.properties",
            {
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": str(self.authority.file),
                **{key.replace("_", "."): value for key, value in properties.items()},
            },
        )

    def login(self, mechanism: str, user: str = "auditor", password: str = PASSWORD) -> Path:
        """Of a user with a password."""
        return self.properties(
            f"{user}-{mechanism}",
            security_protocol="SASL_SSL",
            sasl_mechanism=mechanism,
            sasl_jaas_config=jaas(mechanism, username=user, password=password),
        )

    def allow(self, user: str, *rights: tuple[ResourceType, str, AclOperation]) -> None:
        """`rights` are (kind of resource, its name, what may be done)."""
        admin = AdminClient({**self.inside, "log_level": 0})
        bindings = [
            AclBinding(
                kind,
                name,
                ResourcePatternType.LITERAL,
                f"User:{user}",
                "*",
                operation,
                AclPermissionType.ALLOW,
            )
            for kind, name, operation in rights
        ]
        for answer in admin.create_acls(bindings, request_timeout=_WAIT_S).values():
            answer.result()


def write_properties(file: Path, properties: Mapping[str, str]) -> Path:
    """As a Java properties file: what Java would take for an escape is escaped."""

    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace("\n", "\\n")

    file.write_text("".join(f"{name}={escaped(text)}\n" for name, text in properties.items()))
    return file


def jaas(mechanism: str, **options: str) -> str:
    module = {
        "PLAIN": f"{_PACKAGE}.plain.PlainLoginModule",
        "OAUTHBEARER": f"{_PACKAGE}.oauthbearer.OAuthBearerLoginModule",
    }.get(mechanism, f"{_PACKAGE}.scram.ScramLoginModule")
    quoted = [
        f'{name}="{text.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"'
        for name, text in options.items()
    ]
    return " ".join([module, "required", *quoted]) + ";"


@contextmanager
def sasl_ssl_broker(supervisor: Supervisor, folder: Path, **settings: str) -> Iterator[Secured]:
    """Users `USERS` with `PASSWORD`, by PLAIN and both SCRAMs; any unsigned token is believed."""
    passwords = {f"user_{user}": PASSWORD for user in USERS}
    listener = {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        "plain.sasl.jaas.config": jaas("PLAIN", **passwords),
        "scram-sha-256.sasl.jaas.config": jaas("SCRAM-SHA-256"),
        "scram-sha-512.sasl.jaas.config": jaas("SCRAM-SHA-512"),
        "oauthbearer.sasl.jaas.config": jaas("OAUTHBEARER", unsecuredLoginStringClaim_sub="broker"),
    }
    with _broker(supervisor, folder, "SASL_SSL", listener, settings) as secured:
        _make_scram_users(secured.inside, USERS)
        yield secured


@contextmanager
def mutual_tls_broker(supervisor: Supervisor, folder: Path) -> Iterator[Secured]:
    """Whoever shows a certificate of the authority is `CN=<its name>`."""
    with _broker(supervisor, folder, "SSL", {"ssl.client.auth": "required"}, {}) as secured:
        yield secured


@contextmanager
def _broker(
    supervisor: Supervisor,
    folder: Path,
    protocol: str,
    listener: Mapping[str, str],
    settings: Mapping[str, str],
) -> Iterator[Secured]:
    authority = Authority(folder)
    own = authority.issue("broker")
    every = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": own.certificate,
        "ssl.keystore.key": own.key,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": authority.pem,
        **listener,
    }
    named = {f"listener.name.client.{name}": value for name, value in every.items()}
    spec = ClusterSpec(
        settings={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            **named,
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
    )
    with start_embedded(
        spec,
        supervisor=supervisor,
        listener=ClientListener(protocol=protocol),
        progress=lambda _: None,
    ) as embedded:
        yield Secured(embedded=embedded, authority=authority, folder=folder)


def _make_scram_users(client_config: Mapping[str, str], users: Sequence[str]) -> None:
    admin = AdminClient({**client_config, "log_level": 0})
    for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        info = ScramCredentialInfo(mechanism, 4096)
        wanted = [UserScramCredentialUpsertion(user, info, PASSWORD.encode()) for user in users]
        for made in admin.alter_user_scram_credentials(wanted, request_timeout=_WAIT_S).values():
            made.result()


@dataclass
class TokenEndpoint:
    """Gives whoever knows `secret` an unsigned token of its client id. `asked` counts requests."""

    url: str = ""
    secret: str = PASSWORD
    asked: int = 0


@contextmanager
def token_endpoint(*, lifetime_s: float = 300.0) -> Iterator[TokenEndpoint]:
    state = TokenEndpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            state.asked += 1
            scheme, _, encoded = self.headers["Authorization"].partition(" ")
            client, _, secret = base64.b64decode(encoded).decode().partition(":")
            right = scheme == "Basic" and secret == state.secret
            answer = json.dumps(
                {"access_token": unsigned_token(client, lifetime_s), "expires_in": lifetime_s}
                if right
                else {"error": "invalid_client"}
            ).encode()
            self.send_response(200 if right else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Nothing on standard error."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}/token"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


def unsigned_token(subject: str, lifetime_s: float) -> str:
    """RFC 7519, 6: an unsecured JWT."""
    now = time.time()
    parts = ({"alg": "none"}, {"sub": subject, "iat": now, "exp": now + lifetime_s})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*encoded, b""]).decode()
