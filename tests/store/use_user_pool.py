"""Find and delete a user with each operation of Cognito that the service calls.

test_slim_sdk.py runs it with the packaged AWS SDK: python -m tests.store.use_user_pool POOL_ARN SUB
"""

from __future__ import annotations

import sys
import uuid

import botocore.session
import pytest
from botocore.exceptions import ClientError

from chalicelib.deadline import Deadline
from chalicelib.user_pool import UserPool

NOWHERE = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_Nowhere00"


def find_and_delete(pool: UserPool, sub: str) -> None:
    assert pool.has_user(sub, Deadline.after())
    pool.delete_user(sub, Deadline.after())
    assert not pool.has_user(sub, Deadline.after())
    pool.delete_user(sub, Deadline.after())


def meet_errors_of_cognito(pool: UserPool) -> None:
    with pytest.raises(pool.client.exceptions.UserNotFoundException):
        pool.client.admin_delete_user(UserPoolId=pool.pool_id, Username="nobody@example.com")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        UserPool.connect(NOWHERE).has_user(str(uuid.uuid4()), Deadline.after())


def main(pool_arn: str, sub: str) -> None:
    pool = UserPool.connect(pool_arn)
    find_and_delete(pool, sub)
    meet_errors_of_cognito(pool)
    sys.stdout.write(f"{botocore.__file__}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
