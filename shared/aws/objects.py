"""S3: bodies of bulk jobs and other objects of the data bucket, encrypted at rest by the bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class S3Store:
    """Objects of one bucket."""

    client: Any
    bucket: str

    def put(self, name: str, body: bytes) -> None:
        """Store an object."""
        self.client.put_object(Bucket=self.bucket, Key=name, Body=body)

    def get(self, name: str) -> bytes:
        """Read an object."""
        body: bytes = self.client.get_object(Bucket=self.bucket, Key=name)["Body"].read()
        return body
