"""S3: bodies of bulk jobs and other objects of the data bucket, encrypted at rest by the bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

_MISSING: Final = frozenset({"NoSuchKey", "404", "AccessDenied"})
"""Who may not list a bucket is denied an object that is not there."""

_NO_HEAD: Final = _MISSING | {"403", "Forbidden", "NotFound"}
_NO_UPLOAD: Final = frozenset({"NoSuchUpload", "InvalidPart", "404"})


@dataclass(slots=True)
class S3Store:
    """Objects of one bucket."""

    client: Any
    bucket: str

    def put(self, name: str, body: bytes) -> None:
        """Store an object."""
        self.client.put_object(Bucket=self.bucket, Key=name, Body=body)

    def put_as(self, name: str, body: bytes, content_type: str) -> None:
        """Store an object with a type."""
        self.client.put_object(Bucket=self.bucket, Key=name, Body=body, ContentType=content_type)

    def publish(self, name: str, body: bytes, content_type: str) -> None:
        """Store an object that never changes: whoever has it need not ask again for a year."""
        self.client.put_object(
            Bucket=self.bucket, Key=name, Body=body, ContentType=content_type, CacheControl="public, max-age=31536000, immutable"
        )

    def delete(self, name: str) -> None:
        """Delete an object; no error if there is none."""
        self.client.delete_object(Bucket=self.bucket, Key=name)

    def names(self, prefix: str) -> list[str]:
        """Up to 1,000 of the names that begin so."""
        answer = self.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, MaxKeys=1000)
        return [each["Key"] for each in answer.get("Contents", [])]

    def delete_many(self, names: list[str]) -> None:
        """Delete up to 1,000 objects; no error for one that is not there."""
        wanted = {"Objects": [{"Key": name} for name in names], "Quiet": True}
        refused = self.client.delete_objects(Bucket=self.bucket, Delete=wanted).get("Errors", [])
        if refused:
            raise RuntimeError(f"{len(refused)} objects were not deleted: {refused[0].get('Code')}")

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

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""
        try:
            self.client.head_object(Bucket=self.bucket, Key=name)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NO_HEAD:
                return False
            raise
        return True

    # -- in parts -------------------------------------------------------------------------------------------------------

    def begin(self, name: str, content_type: str) -> str:
        """Begin an upload in parts; answers its id. One that is never completed costs nothing after a day: the bucket ends it."""
        upload: str = self.client.create_multipart_upload(Bucket=self.bucket, Key=name, ContentType=content_type)["UploadId"]
        return upload

    def add_part(self, name: str, upload: str, number: int, body: bytes) -> str | None:
        """Upload a part (at least 5 MB, but for the last), instead of the one of that number; its tag, ``None`` if the upload is gone."""
        try:
            answer = self.client.upload_part(Bucket=self.bucket, Key=name, UploadId=upload, PartNumber=number, Body=body)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NO_UPLOAD:
                return None
            raise
        tag: str = answer["ETag"]
        return tag

    def complete(self, name: str, upload: str, tags: list[str]) -> bool:
        """Put the parts together. ``False`` if the upload is gone (also: completed before), or a part is not the one of its tag."""
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        try:
            self.client.complete_multipart_upload(Bucket=self.bucket, Key=name, UploadId=upload, MultipartUpload={"Parts": parts})
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NO_UPLOAD:
                return False
            raise
        return True

    def link(self, name: str, seconds: int) -> str:
        """An address that answers the object for so long, to whoever has it. Made here, without a request."""
        url: str = self.client.generate_presigned_url("get_object", Params={"Bucket": self.bucket, "Key": name}, ExpiresIn=seconds)
        return url
