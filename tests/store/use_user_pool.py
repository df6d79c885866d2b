"""Find and delete a user with each operation of Cognito that the service calls.

test_slim_sdk.py runs it with the packaged AWS SDK: python -m tests.store.use_user_pool POOL_ID SUB
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(ClientError) as failure:
        yield
    assert failure.value.response["Error"]["Code"] == code


def main(pool_id: str, sub: str) -> None:
    client: Any = botocore.session.get_session().create_client("cognito-idp")
    (user,) = client.list_users(UserPoolId=pool_id, Filter=f'sub = "{sub}"')["Users"]
    assert {"Name": "sub", "Value": sub} in user["Attributes"]
    client.admin_delete_user(UserPoolId=pool_id, Username=user["Username"])
    assert client.list_users(UserPoolId=pool_id, Filter=f'sub = "{sub}"')["Users"] == []
    with refused("UserNotFoundException"):
        client.admin_delete_user(UserPoolId=pool_id, Username=user["Username"])
    with refused("ResourceNotFoundException"):
        client.list_users(UserPoolId="us-east-1_Nowhere00", Filter=f'sub = "{sub}"')
    sys.stdout.write(f"{botocore.__file__}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
