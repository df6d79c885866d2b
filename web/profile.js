// The API, /user/profile: read, patch and delete under the condition that nobody else has changed it meanwhile.

import { Invalid, mergePatch, parse } from "./json.js";
import { SessionOver } from "./session.js";

const PATIENCE = 30_000; // milliseconds; API Gateway answers within 29 s

/** The API's refusal, an RFC 9457 problem: `status`, and its detail as the message. */
export class Refused extends Error {
  constructor(status, problem) {
    super(`${told(status, problem)}${problem.request_id ? ` (request ${problem.request_id})` : ""}`);
    this.status = status;
    this.type = problem.type;
  }
}

/** What went wrong, in words: also of answers that are no problem+json, as API Gateway's own are without `make gateway`. */
function told(status, { detail, message }) {
  return detail ?? message ?? `The service answered ${status}.`;
}

/** The network, the API or its store does not answer: asking again later may help. */
export class Unavailable extends Error {}

export class ProfileApi {
  #url;
  #session;

  constructor(url, session) {
    this.#url = url;
    this.#session = session;
  }

  /** What is stored, {data, etag, updatedAt}; null if there is nothing yet. */
  async read() {
    try {
      return await this.#send("GET");
    } catch (error) {
      if (error.type?.endsWith(":profile-not-found")) return null;
      throw error;
    }
  }

  /** Make `data` of `before`, which `read` or `save` gave; the new state. Refused with 412 if it is not so any more. */
  save(before, data) {
    const patch = JSON.stringify(mergePatch(before?.data ?? {}, data));
    const condition = before ? { "If-Match": before.etag } : { "If-None-Match": "*" };
    return this.#send("PATCH", { ...condition, "Content-Type": "application/merge-patch+json" }, patch);
  }

  /** Delete what `read` or `save` gave. Refused with 412 if it is not so any more. */
  async remove(before) {
    await this.#send("DELETE", { "If-Match": before.etag });
  }

  async #send(method, headers = {}, body = undefined, renew = false) {
    let response, answer;
    try {
      headers.Authorization = `Bearer ${await this.#session.idToken(renew)}`;
      response = await fetch(this.#url, { method, headers, body, signal: AbortSignal.timeout(PATIENCE) });
      const text = await response.text();
      answer = text ? parse(text) : {};
    } catch (error) {
      if (error instanceof SessionOver) throw error;
      throw new Unavailable("The service cannot be reached. You may be offline.", { cause: error });
    }
    if (response.status === 401) {
      if (renew) throw new SessionOver("A new token was refused too.");
      return this.#send(method, headers, body, true);
    }
    if (response.ok) {
      return { data: answer.profile_data, etag: response.headers.get("ETag"), updatedAt: answer.updated_at };
    }
    if (response.status === 422) throw new Invalid(answer.errors);
    if (response.status === 429 || response.status >= 502) throw new Unavailable(told(response.status, answer));
    throw new Refused(response.status, answer);
  }
}
