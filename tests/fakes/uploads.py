"""The fake S3 with uploads in parts, sizes as S3 wants them (``least`` bytes a part, but for the last)."""

from __future__ import annotations

import hashlib
from typing import Any

from botocore.exceptions import ClientError

from tests.fakes.objects import FakeS3


class UploadingS3(FakeS3):
    """Objects and unfinished uploads."""

    def __init__(self, least: int = 0) -> None:
        super().__init__()
        self.least = least
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.types: dict[str, str] = {}
        self.made = 0

    def put_object(self, Bucket: str, Key: str, Body: bytes, ContentType: str = "") -> None:
        self.types[Key] = ContentType
        super().put_object(Bucket, Key, Body)

    def head_object(self, Bucket: str, Key: str) -> None:
        self._call(lambda: None)
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "403"}}, "HeadObject")

    def create_multipart_upload(self, Bucket: str, Key: str, ContentType: str) -> dict[str, str]:
        self.made += 1
        upload = f"upload-{self.made}"

        def work() -> None:
            self.uploads[upload] = {}
            self.types[Key] = ContentType

        self._call(work)
        return {"UploadId": upload}

    def upload_part(self, Bucket: str, Key: str, UploadId: str, PartNumber: int, Body: bytes) -> dict[str, str]:
        if UploadId not in self.uploads:
            raise ClientError({"Error": {"Code": "NoSuchUpload"}}, "UploadPart")
        self._call(lambda: self.uploads[UploadId].__setitem__(PartNumber, Body))
        return {"ETag": hashlib.md5(Body, usedforsecurity=False).hexdigest()}

    def complete_multipart_upload(self, Bucket: str, Key: str, UploadId: str, MultipartUpload: dict[str, Any]) -> None:
        parts, named = self.uploads.get(UploadId), MultipartUpload["Parts"]
        if parts is None:
            raise ClientError({"Error": {"Code": "NoSuchUpload"}}, "CompleteMultipartUpload")
        bodies = [parts.get(each["PartNumber"], b"") for each in named]
        fits = all(
            hashlib.md5(body, usedforsecurity=False).hexdigest() == each["ETag"] for body, each in zip(bodies, named, strict=True)
        )
        if not fits or any(len(body) < self.least for body in bodies[:-1]):
            raise ClientError({"Error": {"Code": "InvalidPart" if not fits else "EntityTooSmall"}}, "CompleteMultipartUpload")

        def work() -> None:
            self.objects[Key] = b"".join(bodies)
            del self.uploads[UploadId]

        self._call(work)

    def generate_presigned_url(self, _operation: str, Params: dict[str, str], ExpiresIn: int) -> str:
        return f"https://objects.example/{Params['Key']}?expires={ExpiresIn}"
