"""The user pool of people who work for tenants. One for all of them: a user's name begins with the tenant (docs/adr/0027)."""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from infra.nag import acknowledge
from infra.stage import Stage
from shared.tenants.staff import STAFF_GROUPS

STAFF_ACTIONS: Final = (
    "AdminCreateUser", "AdminDeleteUser", "AdminAddUserToGroup", "AdminRemoveUserFromGroup", "AdminEnableUser", "AdminDisableUser",
    "AdminUserGlobalSignOut", "AdminSetUserMFAPreference",
)  # fmt: skip
"""What the function that invites and removes staff does with their users. It can set no password, and sign nobody in."""
_INVITATION: Final = (
    "<p>You were invited to Regulars. Sign in as <b>{username}</b> with the password <b>{####}</b> within seven days, choose a password of "
    "your own, and set up an authenticator app.</p>"
)


class StaffPool(Construct):
    """Invited users only; a long password and an authenticator app from everybody; one public client, for SRP and refreshing."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        pool = cognito.UserPool(
            self,
            "Pool",
            user_pool_name=stage.named("staff"),
            # The cheapest plan has authenticator apps; the next, four times as much, adds pages of a brand and passkeys.
            feature_plan=cognito.FeaturePlan.LITE,
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(username=True),
            sign_in_case_sensitive=True,
            standard_attributes=cognito.StandardAttributes(email=cognito.StandardAttribute(required=True, mutable=True)),
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_lowercase=True,
                require_uppercase=True,
                require_digits=True,
                require_symbols=True,
                temp_password_validity=Duration.days(7),
            ),
            mfa=cognito.Mfa.REQUIRED,
            mfa_second_factor=cognito.MfaSecondFactor(sms=False, otp=True),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            user_invitation=cognito.UserInvitationConfig(email_subject="Your invitation to Regulars", email_body=_INVITATION),
            deletion_protection=not stage.local,
            removal_policy=RemovalPolicy.DESTROY if stage.local else RemovalPolicy.RETAIN,
        )
        client = pool.add_client(
            "Pages",
            auth_flows=cognito.AuthFlow(user_srp=True, user_password=stage.local),
            generate_secret=False,
            disable_o_auth=True,
            access_token_validity=Duration.minutes(15),
            id_token_validity=Duration.minutes(15),
            refresh_token_validity=Duration.hours(12),
            enable_token_revocation=True,
            prevent_user_existence_errors=True,
            # Nothing of who they are is theirs to change: neither the address that passwords are mended through, nor anything of ours.
            write_attributes=cognito.ClientAttributes().with_standard_attributes(locale=True),
            read_attributes=cognito.ClientAttributes().with_standard_attributes(email=True, email_verified=True, locale=True),
        )
        for group in STAFF_GROUPS:
            name = "".join(part.title() for part in group.split("_"))
            cognito.CfnUserPoolGroup(self, f"{name}Group", user_pool_id=pool.user_pool_id, group_name=group)
        reason = "Threat protection needs the dearest plan; every sign-in needs an authenticator app, and nobody signs up"
        acknowledge(pool, "AwsSolutions-COG3", reason)
        acknowledge(pool, "AwsSolutions-COG8", "The cheaper plan has all that is used: passwords, groups, authenticator apps")
        self.pool_id = pool.user_pool_id
        self.pool_arn = pool.user_pool_arn
        self.client_id = client.user_pool_client_id
