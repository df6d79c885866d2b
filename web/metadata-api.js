// The API's resource /user/metadata: what back ends store about the signed-in user.

export class MetadataApi {
  #url;
  #client;

  /**
   * @param {string} url the URL of /user/metadata
   * @param {import("./api-client.js").ApiClient} client
   */
  constructor(url, client) {
    this.#url = url;
    this.#client = client;
  }

  /**
   * @returns {Promise<object>} the user's `app_metadata`; {} if there is none
   * @throws the errors of `ApiClient.request`
   */
  async read() {
    const { body } = await this.#client.request("GET", this.#url);
    return body.app_metadata;
  }
}
