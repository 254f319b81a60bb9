"""The user pool of staff on Amazon Cognito. It sends the invitations, and keeps passwords, authenticator apps and addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from shared.kernel.errors import FieldError, StateConflict, Unavailable, Unprocessable
from shared.tenants.staff import STAFF_GROUPS, StaffGroup

_NOBODY: Final = "UserNotFoundException"
_THERE: Final = "UsernameExistsException"
_INVALID: Final = "InvalidParameterException"


class NotInvited(StateConflict):
    """The invitation did not come about: remove this one, and invite again."""

    code, title = "not_invited", "Not invited"


class AddressRefused(Unprocessable):
    """The pool does not take this address."""

    code, title = "address_refused", "Address refused"


class PoolUnavailable(Unavailable):
    """The user pool did not do it now; repeat the call."""

    code, title = "user_pool_unavailable", "User pool unavailable"


@dataclass(slots=True)
class CognitoPool:
    """``UserPool`` of ``shared.tenants.staff_desk``."""

    client: Any
    pool_id: str

    def invite(self, name: str, email: str) -> None:
        """1 request. The address is proven by the invitation itself, so the pool takes it as verified."""
        attributes = [{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}]
        try:
            self.client.admin_create_user(
                UserPoolId=self.pool_id, Username=name, UserAttributes=attributes, DesiredDeliveryMediums=["EMAIL"]
            )
        except ClientError as error:
            code = _code(error)
            if code == _THERE:
                return
            if code == _INVALID:
                # The pool's text may quote the address, so it goes nowhere.
                raise AddressRefused(errors=(FieldError("/email", "address_refused", "not accepted"),)) from None
            raise PoolUnavailable from error

    def put_into(self, name: str, group: StaffGroup) -> None:
        """4 requests: one for each group."""
        self._do("admin_add_user_to_group", name, GroupName=group)
        for other in STAFF_GROUPS:
            if other != group:
                self._do("admin_remove_user_from_group", name, GroupName=other)

    def enable(self, name: str, *, enabled: bool) -> None:
        """1 request."""
        self._do("admin_enable_user" if enabled else "admin_disable_user", name)

    def sign_out(self, name: str) -> None:
        """1 request."""
        self._do("admin_user_global_sign_out", name)

    def reset_mfa(self, name: str) -> None:
        """1 request. The pool demands an authenticator app, so that the next sign-in sets one up."""
        self._do("admin_set_user_mfa_preference", name, SoftwareTokenMfaSettings={"Enabled": False, "PreferredMfa": False})

    def delete(self, name: str) -> None:
        """1 request; no error for one who is gone."""
        try:
            self._do("admin_delete_user", name)
        except NotInvited:
            return

    def names(self, begins: str) -> list[str]:
        """Some of the names that begin so; none when there are none left. 1 request."""
        found = self.client.list_users(UserPoolId=self.pool_id, Filter=f'username ^= "{begins}"', Limit=60)
        return [each["Username"] for each in found["Users"] if each["Username"].startswith(begins)]

    def _do(self, operation: str, name: str, **more: Any) -> None:
        try:
            getattr(self.client, operation)(UserPoolId=self.pool_id, Username=name, **more)
        except ClientError as error:
            if _code(error) == _NOBODY:
                raise NotInvited from None
            raise PoolUnavailable from error


def _code(error: ClientError) -> str:
    return str(error.response["Error"].get("Code"))
