"""S3: bodies of bulk jobs and other objects of the data bucket, encrypted at rest by the bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

_MISSING: Final = frozenset({"NoSuchKey", "404", "AccessDenied"})
"""Who may not list a bucket is denied an object that is not there."""


@dataclass(slots=True)
class S3Store:
    """Objects of one bucket."""

    client: Any
    bucket: str

    def put(self, name: str, body: bytes) -> None:
        """Store an object."""
        self.client.put_object(Bucket=self.bucket, Key=name, Body=body)

    def publish(self, name: str, body: bytes, content_type: str) -> None:
        """Store an object that never changes: whoever has it need not ask again for a year."""
        self.client.put_object(
            Bucket=self.bucket, Key=name, Body=body, ContentType=content_type, CacheControl="public, max-age=31536000, immutable"
        )

    def delete(self, name: str) -> None:
        """Delete an object; no error if there is none."""
        self.client.delete_object(Bucket=self.bucket, Key=name)

    def get(self, name: str) -> bytes:
        """Read an object."""
        body: bytes = self.client.get_object(Bucket=self.bucket, Key=name)["Body"].read()
        return body

    def find(self, name: str) -> bytes | None:
        """Read an object; ``None`` if there is none."""
        try:
            return self.get(name)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _MISSING:
                return None
            raise

    def link(self, name: str, seconds: int) -> str:
        """An address that answers the object for so long, to whoever has it. Made here, without a request."""
        url: str = self.client.generate_presigned_url("get_object", Params={"Bucket": self.bucket, "Key": name}, ExpiresIn=seconds)
        return url
