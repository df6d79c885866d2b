// Starts the page: reads its configuration and restores the user's session.

import { AccountApi } from "./account-api.js";
import { ApiClient } from "./api-client.js";
import { showProblem } from "./messages.js";
import { MetadataApi } from "./metadata-api.js";
import { ProfileApi } from "./profile-api.js";
import { ProfileForm } from "./profile-form.js";
import { ProfilePage } from "./profile-page.js";
import { DEFAULT_FIELDS, fieldsOf } from "./schema.js";
import { Session } from "./session.js";

/**
 * @typedef {object} Config
 * @property {string} api the URL of /user/profile
 * @property {string} issuer the issuer of the user pool's tokens
 * @property {string} client_id the id of the user pool's app client
 * @property {string} sign_in the URL of the user pool's domain
 * @property {string} cognito_api the endpoint of Cognito's API
 * @property {{url: string, max_sign_in_age: number}} [erasure] missing if users cannot delete their
 *   account
 * @property {object} [schema] the JSON Schema of profile data; missing if there is none
 */

/** @returns {Promise<Config>} */
async function loadConfig() {
  const response = await fetch("config.json");
  if (!response.ok) {
    throw new Error(
      "config.json was not found. To create it, run `make local` or `make web-config STAGE=...`.",
    );
  }
  return response.json();
}

/** The signed-in user, or null. A failed sign-in is shown. */
async function startSession(session) {
  try {
    return await session.start();
  } catch (error) {
    showProblem("Signing in did not work. Try again.", { details: error.message });
    return null;
  }
}

/** @param {Config} config */
function createPage(config, session) {
  const client = new ApiClient(session);
  const apis = {
    profile: new ProfileApi(config.api, client),
    metadata: new MetadataApi(new URL("metadata", config.api).href, client),
    account: config.erasure ? new AccountApi(config.erasure, client) : null,
  };
  const form = new ProfileForm(config.schema ? fieldsOf(config.schema) : DEFAULT_FIELDS);
  const isPictureAllowed = config.schema?.properties?.picture !== undefined;
  return new ProfilePage({ session, apis, form, isPictureAllowed });
}

async function start() {
  if (!JSON.rawJSON) {
    throw new Error(
      "Your browser is too old for this page: it cannot keep large numbers exact. " +
      "Use a version from 2025 or later.",
    );
  }
  const config = await loadConfig();
  const session = new Session(config);
  const page = createPage(config, session);
  const user = await startSession(session);
  if (user === null) {
    page.showSignedOut();
  } else {
    await page.showSignedIn(user);
  }
}

try {
  await start();
} catch (error) {
  showProblem(error.message);
}
