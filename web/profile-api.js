// The API's resource /user/profile.

import {
  ApiError,
  ConflictError,
  SessionEndedError,
  UnavailableError,
  ValidationError,
} from "./errors.js";
import { mergePatch, parse } from "./json.js";

/** API Gateway responds within 29 seconds. */
const TIMEOUT_MS = 30_000;

/**
 * @typedef {object} Profile a saved profile
 * @property {object} data the profile data
 * @property {string} etag
 * @property {string} [updatedAt] an ISO 8601 time; items of the original example have none
 */

/**
 * A client of the API. Every method may throw
 *   SessionEndedError if the user must sign in again,
 *   UnavailableError if the network, the API or the sign-in service does not respond,
 *   ApiError if the API refuses the request for another reason.
 */
export class ProfileApi {
  #url;
  #session;

  /**
   * @param {string} url the URL of /user/profile
   * @param {import("./session.js").Session} session
   */
  constructor(url, session) {
    this.#url = url;
    this.#session = session;
  }

  /**
   * @returns {Promise<?Profile>} null if there is no profile
   */
  async read() {
    let response;
    try {
      response = await this.#request("GET");
    } catch (error) {
      if (error instanceof ApiError && error.type?.endsWith(":profile-not-found")) {
        return null;
      }
      throw error;
    }
    return toProfile(response);
  }

  /**
   * Save new data with a PATCH that sends only what changed.
   *
   * @param {?Profile} base the profile that was edited; null to create one
   * @param {object} data the edited profile data
   * @returns {Promise<Profile>} the profile as it is saved now
   * @throws {ValidationError}
   * @throws {ConflictError} if the saved profile is no longer `base`
   */
  async save(base, data) {
    const headers = { "Content-Type": "application/merge-patch+json" };
    let savedData = {};
    if (base === null) {
      headers["If-None-Match"] = "*";
    } else {
      headers["If-Match"] = base.etag;
      savedData = base.data;
    }
    const patch = mergePatch(savedData, data);
    const response = await this.#request("PATCH", headers, JSON.stringify(patch));
    return toProfile(response);
  }

  /**
   * @param {Profile} base the profile that the user saw
   * @throws {ConflictError} if the saved profile is no longer `base`
   */
  async delete(base) {
    await this.#request("DELETE", { "If-Match": base.etag });
  }

  /** Send a request. If the API refuses the id token, send it once more with a new one. */
  async #request(method, headers, body) {
    const idToken = await this.#session.idToken();
    let response = await this.#send(method, headers, body, idToken);
    if (response.status === 401) {
      const newIdToken = await this.#session.refreshIdToken();
      response = await this.#send(method, headers, body, newIdToken);
    }
    if (!response.ok) {
      throw toError(response);
    }
    return response;
  }

  async #send(method, headers, body, idToken) {
    try {
      const response = await fetch(this.#url, {
        method,
        headers: { ...headers, Authorization: `Bearer ${idToken}` },
        body,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const text = await response.text();
      return {
        ok: response.ok,
        status: response.status,
        etag: response.headers.get("ETag"),
        body: parseBody(text),
      };
    } catch (error) {
      // A body that is not JSON comes from a proxy or a captive portal, not from the API.
      throw new UnavailableError("Cannot reach the service. You may be offline.", { cause: error });
    }
  }
}

/** The response to a DELETE has no body. */
function parseBody(text) {
  if (text === "") {
    return {};
  }
  return parse(text);
}

function toProfile({ body, etag }) {
  return { data: body.profile_data, etag, updatedAt: body.updated_at };
}

function toError({ status, body }) {
  const message = messageOf(status, body);
  if (status === 401) {
    return new SessionEndedError(message);
  }
  if (status === 422) {
    return new ValidationError(body.errors);
  }
  if (status === 429 || status >= 502) {
    return new UnavailableError(message);
  }
  if (status === 412) {
    return new ConflictError(message, body.type);
  }
  const requestId = body.request_id ? ` (request ID ${body.request_id})` : "";
  return new ApiError(`${message}${requestId}`, body.type);
}

/** After `chalice deploy` without `make gateway`, API Gateway's own errors have a `message`. */
function messageOf(status, { detail, message }) {
  return detail ?? message ?? `The service returned HTTP status ${status}.`;
}
