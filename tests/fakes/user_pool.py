"""Cognito's user pools, as far as staff need them: users, groups, what was done to whom."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

_FILTER = re.compile(r'username \^= "([^"]+)"')


def _refused(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "the text may quote an address"}}, operation)


@dataclass
class User:
    """One user."""

    email: str
    groups: set[str] = field(default_factory=set)
    enabled: bool = True
    mfa: bool = True
    sign_outs: int = 0


class FakeUserPool:
    """A botocore client of ``cognito-idp``. ``fails`` names operations that answer an error of the service."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.fails: dict[str, str] = {}

    def _user(self, operation: str, name: str) -> User:
        if operation in self.fails:
            raise _refused(self.fails[operation], operation)
        if name not in self.users:
            raise _refused("UserNotFoundException", operation)
        return self.users[name]

    def admin_create_user(self, UserPoolId: str, Username: str, UserAttributes: list[dict[str, str]], **_more: Any) -> None:
        given = {each["Name"]: each["Value"] for each in UserAttributes}
        if "admin_create_user" in self.fails:
            raise _refused(self.fails["admin_create_user"], "AdminCreateUser")
        if Username in self.users:
            raise _refused("UsernameExistsException", "AdminCreateUser")
        if given["email"].endswith(".invalid"):
            raise _refused("InvalidParameterException", "AdminCreateUser")
        self.users[Username] = User(given["email"])

    def admin_add_user_to_group(self, UserPoolId: str, Username: str, GroupName: str) -> None:
        self._user("admin_add_user_to_group", Username).groups.add(GroupName)

    def admin_remove_user_from_group(self, UserPoolId: str, Username: str, GroupName: str) -> None:
        self._user("admin_remove_user_from_group", Username).groups.discard(GroupName)

    def admin_enable_user(self, UserPoolId: str, Username: str) -> None:
        self._user("admin_enable_user", Username).enabled = True

    def admin_disable_user(self, UserPoolId: str, Username: str) -> None:
        self._user("admin_disable_user", Username).enabled = False

    def admin_user_global_sign_out(self, UserPoolId: str, Username: str) -> None:
        self._user("admin_user_global_sign_out", Username).sign_outs += 1

    def admin_set_user_mfa_preference(self, UserPoolId: str, Username: str, SoftwareTokenMfaSettings: dict[str, bool]) -> None:
        self._user("admin_set_user_mfa_preference", Username).mfa = SoftwareTokenMfaSettings["Enabled"]

    def admin_delete_user(self, UserPoolId: str, Username: str) -> None:
        self._user("admin_delete_user", Username)
        del self.users[Username]

    def list_users(self, UserPoolId: str, Filter: str, Limit: int) -> dict[str, Any]:
        found = _FILTER.fullmatch(Filter)
        assert found is not None
        names = sorted(name for name in self.users if name.startswith(found[1]))
        return {"Users": [{"Username": name} for name in names[:Limit]]}
