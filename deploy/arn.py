"""User pool ARNs: arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_Example"""

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
        domain = "amazonaws.com"
        if self.partition == "aws-cn":
            domain = "amazonaws.com.cn"
        return f"https://cognito-idp.{self.region}.{domain}/{self.pool_id}"
