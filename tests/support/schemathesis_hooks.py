"""Signs Schemathesis's requests under /users. SCHEMATHESIS_HOOKS names this module."""

from __future__ import annotations

import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests import PreparedRequest
from requests.auth import AuthBase


class AwsSignature(AuthBase):
    """Signs a request when its final URL and body are known."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        # requests writes a space in a query as a plus sign, which botocore would sign as it is.
        request.url = str(request.url).replace("+", "%20")
        signed = AWSRequest(request.method, request.url, data=request.body)
        SigV4Auth(Credentials("local", "local"), "execute-api", "us-east-1").add_auth(signed)
        request.headers.update(signed.headers.items())
        return request


signature = schemathesis.auth.set_from_requests(AwsSignature())  # type: ignore[attr-defined]
signature.apply_to(path_regex="^/users")
