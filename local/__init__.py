"""The local cloud: an AWS for development and tests, in one process on this machine. None of it is ever deployed.

install.py      make .venv and put the requirements into it (runs on a bare Python)
audit.py        ask for known vulnerabilities in what is pinned
emulator.py     start and stop ministack: DynamoDB, Cognito, CloudFormation
start_ministack.py  its process: ministack, and what a browser's session needs beyond it
users.py        sign up, sign in (SRP), the demo user
api.py          run the API: `chalice local --stage local`
gateway.py      API Gateway's part under `chalice local`: routing, tokens, CORS
documentation.py  docs/openapi.yaml to be read in a browser
page.py         web/, the reference front end, served to a browser
tokens.py       verify an id token as API Gateway's Cognito authorizer does
process.py      start such things, and stop them whatever happens
environment.py  where `chalice local --stage local` finds all this
__main__.py     the commands behind `make local`, `make cloud`, `make web`, `make token`, `make sign-up`
"""
