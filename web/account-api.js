// The API's resource /user: the account of the signed-in user. Only some stages have it.

export class AccountApi {
  #url;
  #client;

  /**
   * @param {object} erasure
   * @param {string} erasure.url the URL of /user
   * @param {number} erasure.max_sign_in_age how long ago the user may have signed in, in seconds
   * @param {import("./api-client.js").ApiClient} client
   */
  constructor({ url, max_sign_in_age }, client) {
    this.#url = url;
    this.#client = client;
    this.maxSignInAge = max_sign_in_age;
  }

  /**
   * Delete the account and its data. If that fails, it can be repeated until it succeeds.
   *
   * @throws {import("./errors.js").SignInTooOldError} if the user must sign in again first
   * @throws the other errors of `ApiClient.request`
   */
  async delete() {
    await this.#client.request("DELETE", this.#url);
  }
}
