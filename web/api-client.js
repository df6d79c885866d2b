// Requests to the API with the user's id token, and its errors.

import {
  AccountErasedError,
  ApiError,
  ConflictError,
  InternalError,
  SessionEndedError,
  SignInTooOldError,
  UnavailableError,
  ValidationError,
} from "./errors.js";
import { isObject, parse } from "./json.js";
import { detailsOf } from "./problem-texts.js";

/** API Gateway responds within 29 seconds. */
const TIMEOUT_MS = 30_000;

/**
 * @typedef {object} Response a response of the API that is not an error
 * @property {?string} etag
 * @property {object} body {} if the response has none
 */

export class ApiClient {
  #session;

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.#session = session;
  }

  /**
   * Send a request. If the API refuses the id token, send it once more with a new one.
   *
   * @param {string} method
   * @param {string} url
   * @param {Object<string, string>} [headers]
   * @param {string} [body]
   * @returns {Promise<Response>}
   * @throws {SessionEndedError} if the user must sign in again
   * @throws {UnavailableError} if the network, the API or the sign-in service does not respond
   * @throws {ApiError} if the API refuses the request for another reason; see errors.js
   */
  async request(method, url, headers, body) {
    const idToken = await this.#session.idToken();
    let response = await send(method, url, headers, body, idToken);
    if (response.status === 401 && !isSignInTooOld(response)) {
      const newIdToken = await this.#session.refreshIdToken();
      response = await send(method, url, headers, body, newIdToken);
    }
    if (!response.ok) {
      throw toError(response);
    }
    return response;
  }
}

async function send(method, url, headers, body, idToken) {
  let response;
  let text;
  try {
    response = await fetch(url, {
      method,
      headers: { ...headers, Authorization: `Bearer ${idToken}` },
      body,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await response.text();
  } catch (error) {
    const message = "Cannot reach the service. You may be offline.";
    throw new UnavailableError(message, { cause: error });
  }
  const { ok, status } = response;
  return { ok, status, etag: response.headers.get("ETag"), body: parseBody(text, ok) };
}

/** The response to a DELETE has no body. An error may come from a proxy, as HTML. */
function parseBody(text, isOk) {
  const value = text === "" ? {} : parseOrNull(text);
  if (isObject(value)) {
    return value;
  }
  if (isOk) {
    throw new UnavailableError(
      "Another server answered instead of the service. Your network may ask you to sign in first.",
    );
  }
  return {};
}

function parseOrNull(text) {
  try {
    return parse(text);
  } catch {
    return null;
  }
}

/** Whether the API refused the sign-in, not the token: a refreshed token has the same sign-in. */
function isSignInTooOld(response) {
  return hasType(response, "insufficient-user-authentication");
}

/** Whether a response is a problem of a type. Errors of API Gateway itself have none. */
function hasType({ body }, type) {
  return body.type?.endsWith(`:${type}`) ?? false;
}

function toError(response) {
  const { status, body } = response;
  const message = messageOf(status, body);
  const reason = { status, type: body.type, requestId: body.request_id };
  if (isSignInTooOld(response)) {
    return new SignInTooOldError(message, reason);
  }
  if (status === 401) {
    return new SessionEndedError(message);
  }
  if (hasType(response, "account-erased")) {
    return new AccountErasedError(message, reason);
  }
  if (status === 422 && Array.isArray(body.errors)) {
    return new ValidationError(body.errors);
  }
  if (status === 429 || status >= 502) {
    const details = detailsOf(message, body.request_id);
    return new UnavailableError("The service is busy. Try again in a moment.", { details });
  }
  if (status === 412) {
    return new ConflictError(message, reason);
  }
  if (status === 500) {
    return new InternalError(message, reason);
  }
  return new ApiError(message, reason);
}

/** After `chalice deploy` without `make gateway`, API Gateway's own errors have a `message`. */
function messageOf(status, { detail, message }) {
  return detail ?? message ?? `The service returned HTTP status ${status}.`;
}
