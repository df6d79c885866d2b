"""The service on this machine, with an AWS emulator. Nothing in this folder is deployed.

__main__.py         the commands: python -m local COMMAND
up.py               `make local` and `make cloud`
users.py            `make token` and `make sign-up`, and the demo user
operators.py        `make users` and `make user`
page.py             `make web`: serves web/, the reference front end
redirects.py        the URLs to which the user pool may redirect: those of front ends
ports.py            the ports of `make local`
lock.py             the lock on the state folder
process.py          child processes: start, wait, stop
errors.py           the errors that the commands report
environment.py      the variables with which AWS clients find the AWS emulator
emulator.py         runs ministack, the AWS emulator: DynamoDB, Cognito, CloudFormation
start_ministack.py  ministack's process
account_pages.py    sign-up and password reset, beside ministack's sign-in page
api.py              runs the API: `chalice local --stage local`
chalice_command.py  the preparation of a `chalice` command
server.py           HTTP under `chalice local`
gateway.py          API Gateway under `chalice local`: routes, tokens, CORS, events
tokens.py           verifies id tokens as API Gateway's Cognito authorizer does
signature.py        verifies AWS Signature Version 4 as API Gateway's IAM authorization does
documentation.py    the API's description, in Swagger UI and for `make openapi`
"""
