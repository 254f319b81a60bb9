"""A stand-in for Apple's sign-in: signs identity tokens with a key of this machine, which only the demo's tenant trusts."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

ISSUER = "https://issuer.example.test"
AUDIENCE = "com.example.coffee"
_KID = "demo-1"


@dataclass(frozen=True, slots=True)
class Issuer:
    """A signing key and what is published of it."""

    key: ec.EllipticCurvePrivateKey

    @classmethod
    def at(cls, folder: Path) -> Issuer:
        """The key kept in a folder; made when there is none."""
        file = folder / "issuer.pem"
        if not file.exists():
            made = ec.generate_private_key(ec.SECP256R1())
            folder.mkdir(parents=True, exist_ok=True)
            file.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.chmod(0o600)
        loaded = load_pem_private_key(file.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        return cls(loaded)

    def settings(self) -> dict[str, Any]:
        """What the tenant's configuration says of this issuer."""
        jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        keys = {"keys": [{**jwk, "kid": _KID, "alg": "ES256", "use": "sig"}]}
        return {"audiences": [AUDIENCE], "issuers": [ISSUER], "jwks": keys, "nonce_required": True}

    def token(self, subject: str, email: str, nonce: str, now: int | None = None, lifetime: int = 600) -> str:
        """An identity token as the app gets it; the nonce is hashed as the native SDK does."""
        at = int(time.time()) if now is None else now // 1000
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": at,
            "exp": at + lifetime,
            "nonce": hashlib.sha256(nonce.encode()).hexdigest(),
            "email": email,
            "email_verified": True,
        }
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"kid": _KID})
