"""Key pairs: the private half in a file of the pipeline, the public half for Snowflake."""

import base64
import hashlib
import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_BITS = 2048  # what Snowflake asks for


def read_private_key(path: Path, passphrase: str | None) -> RSAPrivateKey:
    """Read a private key in PEM. Raises OSError, ValueError or TypeError."""
    secret = passphrase.encode() if passphrase else None
    key = serialization.load_pem_private_key(path.read_bytes(), secret)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError(f"{path} is no RSA key")
    return key


def write_private_key(path: Path, passphrase: str | None) -> None:
    """Make a key and write it in PEM, for its owner alone; a file that is there stays.

    Raises FileExistsError then.
    """
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    data = rsa.generate_private_key(public_exponent=65537, key_size=_BITS).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def public_key_of(key: RSAPrivateKey) -> str:
    """Return the public half as Snowflake's RSA_PUBLIC_KEY takes it: base64 on one line."""
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return "".join(pem.decode().splitlines()[1:-1])


def fingerprint_of(public_key: str) -> str:
    """Return a public half as Snowflake's RSA_PUBLIC_KEY_FP tells it."""
    digest = hashlib.sha256(base64.b64decode(public_key)).digest()
    return f"SHA256:{base64.b64encode(digest).decode()}"
