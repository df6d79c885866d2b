// Starts the page: reads its configuration and restores the user's session.

import { ApiClient } from "./api-client.js";
import { showProblem } from "./messages.js";
import { ProfileApi } from "./profile-api.js";
import { ProfilePage } from "./profile-page.js";
import { Session } from "./session.js";

/** @returns {Promise<{api: string, issuer: string, client_id: string, sign_in: string}>} */
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
    showProblem(`Sign-in failed: ${error.message}`);
    return null;
  }
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
  const client = new ApiClient(session);
  const page = new ProfilePage(session, new ProfileApi(config.api, client));
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
