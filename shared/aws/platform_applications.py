"""SNS platform applications: one per tenant and platform. The credential lies in SNS alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from shared.kernel.errors import Unprocessable
from shared.tenants.model import PushPlatform

_NAMES: Final[dict[PushPlatform, str]] = {"apns": "APNS", "apns_sandbox": "APNS_SANDBOX", "gcm": "GCM"}


class CredentialRefused(Unprocessable):
    """The push service does not take this credential."""

    code, title = "credential_refused", "Credential refused"


@dataclass(slots=True)
class SnsApplications:
    """``PlatformApplications`` of ``shared.tenants.channels`` on SNS."""

    client: Any
    stage: str
    events: str = ""
    """The topic that is told of devices that cannot be reached."""

    def ensure(self, tenant: str, platform: PushPlatform, credential: str, principal: str | None) -> str:
        """Create, or give the existing application the new credential: SNS answers the same ARN for the same name."""
        attributes = {"PlatformCredential": credential}
        if principal is not None:
            attributes["PlatformPrincipal"] = principal
        name = f"regulars-{self.stage}-{tenant}-{platform}"
        try:
            arn: str = self.client.create_platform_application(Name=name, Platform=_NAMES[platform], Attributes=attributes)[
                "PlatformApplicationArn"
            ]
            if self.events:
                attributes = {**attributes, "EventDeliveryFailure": self.events}
            self.client.set_platform_application_attributes(PlatformApplicationArn=arn, Attributes=attributes)
        except ClientError as error:
            if error.response["Error"].get("Code") in ("InvalidParameter", "InvalidParameterException"):
                # The service's text may quote the credential, so it goes nowhere.
                raise CredentialRefused("The push service does not take this credential.") from None
            raise
        return arn
