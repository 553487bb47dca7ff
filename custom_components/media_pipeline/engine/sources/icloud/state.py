"""Where a sign-in stands."""

from enum import StrEnum


class SignInState(StrEnum):
    """Where a sign-in stands."""

    SIGNED_OUT = "signed_out"
    SIGNED_IN = "signed_in"
    CODE_REQUIRED = "code_required"
