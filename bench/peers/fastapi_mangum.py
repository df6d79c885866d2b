"""FastAPI behind Mangum, with boto3's resource."""

import os
from decimal import Decimal
from typing import Any

import boto3
from fastapi import FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from mangum import Mangum

table = boto3.resource("dynamodb").Table(os.environ["DYNAMODB_TABLE"])
app = FastAPI()
app.add_middleware(CORSMiddleware, allow_origins=["*"])


def key(request: Request) -> dict[str, str]:
    sub = request.scope["aws.event"]["requestContext"]["authorizer"]["claims"]["sub"]
    return {"pk": "USERS#ALL", "sk": f"USER#{sub}"}


def plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value % 1 == 0 else float(value)
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    return [plain(element) for element in value] if isinstance(value, list) else value


def with_decimals(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {name: with_decimals(member) for name, member in value.items()}
    return [with_decimals(element) for element in value] if isinstance(value, list) else value


@app.get("/user/profile")
async def read(request: Request) -> JSONResponse:
    item = table.get_item(Key=key(request), ConsistentRead=True).get("Item")
    if item is None:
        raise HTTPException(404, "Not found")
    return JSONResponse(plain(item))


@app.post("/user/profile")
async def replace(request: Request, data: dict[str, Any]) -> JSONResponse:
    item = {**key(request), "profile_data": with_decimals(data)}
    table.put_item(Item=item)
    return JSONResponse({**item, "profile_data": data})


handler = Mangum(app, lifespan="off")
