"""Create and read key pairs: the private key in a PEM file, the public key for Snowflake."""

import base64
import hashlib
import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_BITS = 2048  # Snowflake's minimum


def read_private_key(path: Path, passphrase: str | None) -> RSAPrivateKey:
    """Read an RSA private key from a PEM file.

    Raises OSError when the file cannot be read, ValueError for an invalid file or a wrong
    passphrase, and TypeError for a missing or needless passphrase or another type of key.
    """
    secret = passphrase.encode() if passphrase else None
    key = serialization.load_pem_private_key(path.read_bytes(), secret)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError(f"{path} is not an RSA key")
    return key


def write_private_key(path: Path, passphrase: str | None) -> None:
    """Generate a private key, and write it to a PEM file that only its owner can read.

    Raises FileExistsError instead of replacing a file.
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
    """Return the public key in the format of Snowflake's RSA_PUBLIC_KEY: base64 on one line."""
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return "".join(pem.decode().splitlines()[1:-1])


def fingerprint_of(public_key: str) -> str:
    """Return a public key's fingerprint in the format of Snowflake's RSA_PUBLIC_KEY_FP."""
    digest = hashlib.sha256(base64.b64decode(public_key)).digest()
    return f"SHA256:{base64.b64encode(digest).decode()}"
