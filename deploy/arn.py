"""User pool ARNs: arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_Example

Also the addresses that follow from a pool: the issuer of its tokens, and its sign-in page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PATTERN = re.compile(r"arn:([^:]+):cognito-idp:([^:]+):([^:]+):userpool/(.+)")


@dataclass(frozen=True)
class UserPoolArn:
    """The parts of a user pool's ARN."""

    partition: str
    region: str
    account: str
    pool_id: str

    @classmethod
    def parse(cls, text: str) -> UserPoolArn:
        """Split an ARN into its parts. Raises ValueError."""
        match = PATTERN.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not the ARN of a user pool")
        return cls(*match.groups())

    @property
    def issuer(self) -> str:
        """The issuer of the pool's tokens, a URL."""
        domain = f"amazonaws.com{self._suffix}"
        return f"https://cognito-idp.{self.region}.{domain}/{self.pool_id}"

    def sign_in_host(self, prefix: str) -> str:
        """The host of the pool's sign-in page, if its domain is a prefix of Cognito's domain."""
        service = "auth"
        if self.partition == "aws-us-gov":
            service = "auth-fips"  # AWS GovCloud (US) User Guide, "Amazon Cognito"
        return f"{prefix}.{service}.{self.region}.amazoncognito.com{self._suffix}"

    @property
    def _suffix(self) -> str:
        if self.partition == "aws-cn":
            return ".cn"
        return ""
