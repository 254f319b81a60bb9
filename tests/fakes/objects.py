"""An S3 client over a dictionary, which fails where a test says: before a request is carried out, or after it."""

from __future__ import annotations

import io
from typing import Any, Literal

from botocore.exceptions import ClientError

from tests.fakes.faulty import Killed


class FakeS3:
    """Objects by name; the bucket is not looked at. ``missing`` is the code that S3 answers for an object that is not there."""

    def __init__(self, missing: str = "AccessDenied") -> None:
        self.objects: dict[str, bytes] = {}
        self.missing = missing
        self.calls = 0
        self.fail_at: int | None = None
        self.when: Literal["before", "after"] = "before"

    def arm(self, at: int, when: Literal["before", "after"]) -> None:
        """Fail at the ``at``-th call from now."""
        self.calls, self.fail_at, self.when = 0, at, when

    def disarm(self) -> None:
        """Work again."""
        self.fail_at = None

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        self._call(lambda: self.objects.__setitem__(Key, Body))

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        self._call(lambda: None)
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": self.missing}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Key])}

    def delete_object(self, Bucket: str, Key: str) -> None:
        self._call(lambda: self.objects.pop(Key, None))

    def _call(self, work: Any) -> None:
        self.calls += 1
        hit = self.calls == self.fail_at
        if hit and self.when == "before":
            raise Killed
        work()
        if hit:
            raise Killed
