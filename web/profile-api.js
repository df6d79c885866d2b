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
    const text = JSON.stringify(patch);
    const response = await this.#client.request("PATCH", this.#url, headers, text);
    return toProfile(response);
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
