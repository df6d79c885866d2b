// The API's resource /user/profile.

import { ApiError } from "./errors.js";
import { mergePatch } from "./json.js";

/**
 * @typedef {object} Profile a saved profile
 * @property {object} data the profile data
 * @property {string} etag
 * @property {string} [updatedAt] an ISO 8601 time; items of the original example have none
 */

/**
 * The profile of the signed-in user. Every method may throw the errors of `ApiClient.request`.
 */
export class ProfileApi {
  #url;
  #client;

  /**
   * @param {string} url the URL of /user/profile
   * @param {import("./api-client.js").ApiClient} client
   */
  constructor(url, client) {
    this.#url = url;
    this.#client = client;
  }

  /**
   * @returns {Promise<?Profile>} null if there is no profile
   */
  async read() {
    let response;
    try {
      response = await this.#client.request("GET", this.#url);
    } catch (error) {
      if (error instanceof ApiError && error.hasType("profile-not-found")) {
        return null;
      }
      throw error;
    }
    return toProfile(response);
  }

  /**
   * Save new data. Only what changed is sent, if a merge patch can express it.
   *
   * @param {?Profile} base the profile that was edited; null to create one
   * @param {object} data the edited profile data
   * @returns {Promise<Profile>} the profile as it is saved now
   * @throws {ValidationError}
   * @throws {ConflictError} if the saved profile is no longer `base`
   */
  async save(base, data) {
    const precondition = base === null ? { "If-None-Match": "*" } : { "If-Match": base.etag };
    const patch = base === null ? null : mergePatch(base.data, data);
    const response =
      patch === null
        ? await this.#send("PUT", "application/json", precondition, data)
        : await this.#send("PATCH", "application/merge-patch+json", precondition, patch);
    return toProfile(response);
  }

  #send(method, contentType, precondition, body) {
    const headers = { ...precondition, "Content-Type": contentType };
    return this.#client.request(method, this.#url, headers, JSON.stringify(body));
  }

  /**
   * @param {Profile} base the profile that the user saw
   * @throws {ConflictError} if the saved profile is no longer `base`
   */
  async delete(base) {
    await this.#client.request("DELETE", this.#url, { "If-Match": base.etag });
  }
}

function toProfile({ body, etag }) {
  return { data: body.profile_data, etag, updatedAt: body.updated_at };
}
