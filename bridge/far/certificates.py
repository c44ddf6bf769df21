"""TLS 1.3 with pinned keys that both machines compute from the secret: nothing of it travels.

    secret --scrypt--> two Ed25519 keys --> two self-signed certificates, byte for byte the same on both machines

Each side shows its own certificate, proves in the handshake that it has the key, and takes exactly the other's. Who
does not know the secret has neither key. Somebody who connects to an engine sees its certificate and may try secrets
against it, at the price of one scrypt each: so a secret has at least SECRET_MIN characters.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from bridge.errors import EndpointError

SECRET_MIN = 16
ENGINE, RELAY = "engine", "relay"
_SALT = b"segue far 1"
_SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 2**26}  # about 0.1 s and 32 MiB a guess
_BEGIN, _END = datetime(2020, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


class FarSecretError(EndpointError):
    """The secret is too short, or the library for certificates is missing."""

    code = "far_secret"


@dataclass(frozen=True)
class Identity:
    """One side's key and certificate, PEM; `der` is the certificate that the other side pins."""

    key_pem: bytes
    certificate_pem: bytes
    der: bytes


def context_for(role: str, secret: str) -> ssl.SSLContext:
    """The TLS context of ENGINE or RELAY; FarSecretError. Takes about 0.2 s the first time.  [main]"""
    own, other = _identities(secret)[:: 1 if role == ENGINE else -1]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if role == ENGINE else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=other.certificate_pem.decode())
    with tempfile.TemporaryDirectory(prefix="segue-far-") as folder:  # mode 0700; OpenSSL reads keys from files only
        path = os.path.join(folder, "pem")
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(own.key_pem + own.certificate_pem)
        context.load_cert_chain(path)
    return context


def is_other(role: str, secret: str, shown: bytes | None) -> bool:
    """Whether the certificate shown, DER, is exactly the other side's.  [any]"""
    other = _identities(secret)[1 if role == ENGINE else 0]
    return hmac.compare_digest(shown or b"", other.der)


@lru_cache(4)
def _identities(secret: str) -> tuple[Identity, Identity]:
    """Of the engine and of the relay."""
    if len(secret) < SECRET_MIN:
        raise FarSecretError(
            f"the secret has {len(secret)} characters; a connection to another machine needs {SECRET_MIN} or more, "
            "like those of `openssl rand -hex 16 > secret.txt`"
        )
    seeds = hashlib.scrypt(secret.encode("utf-8"), salt=_SALT, dklen=64, **_SCRYPT)
    return _identity(seeds[:32], ENGINE), _identity(seeds[32:], RELAY)


def _identity(seed: bytes, role: str) -> Identity:
    """A key and its certificate; Ed25519 signs the same bytes always alike, and every field is fixed."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.x509.oid import NameOID
    except ImportError:
        raise FarSecretError("lanes on other machines need `cryptography`: pip install 'segue[far]'") from None
    key = Ed25519PrivateKey.from_private_bytes(seed)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"segue {role}")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_BEGIN)
        .not_valid_after(_END)
        .sign(key, None)
    )
    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return Identity(pem, made.public_bytes(form.Encoding.PEM), made.public_bytes(form.Encoding.DER))
