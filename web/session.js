// The signed-in user. oidc-client-ts implements the protocol: the authorization code flow with
// PKCE, and refreshing tokens.

import { jwtDecode } from "jwt-decode";
import { ErrorTimeout, UserManager, WebStorageStateStore } from "oidc-client-ts";

import { responds, revokeToken } from "./cognito.js";
import { SessionEndedError, UnavailableError } from "./errors.js";

/** One of the user pool's callback and sign-out URLs, exactly: without a trailing slash. */
const REDIRECT_URL = location.origin;

/** The time to wait for the sign-in page before "Sign in" can be pressed again. */
const REDIRECT_TIMEOUT_MS = 3_000;

/** How often the library repeats a renewal that timed out, before the session counts as ended. */
const MAX_RENEWAL_RETRIES = 3;

/** Matches the library's error messages for a response that is not from an OAuth server. */
const NOT_AN_OAUTH_RESPONSE = /\((429|5\d\d)\)|Invalid response Content-Type/;

export class Session {
  #manager;
  #store;
  #clientId;
  #cognitoApi;
  #signOutUrl;

  /**
   * @param {object} config
   * @param {string} config.issuer the issuer of the user pool's tokens
   * @param {string} config.client_id the id of the user pool's app client
   * @param {string} config.sign_in the URL of the user pool's domain, https://...
   * @param {string} config.cognito_api the endpoint of Cognito's API
   */
  constructor({ issuer, client_id, sign_in, cognito_api }) {
    // The browser clears sessionStorage when the tab is closed; localStorage would stay.
    this.#store = new WebStorageStateStore({ store: sessionStorage });
    this.#clientId = client_id;
    this.#cognitoApi = cognito_api;
    const query = new URLSearchParams({ client_id, logout_uri: REDIRECT_URL });
    this.#signOutUrl = `${sign_in}/logout?${query}`;
    this.#manager = new UserManager({
      authority: issuer,
      // Cognito's endpoints are known, so there is no need to fetch them before signing in.
      metadata: {
        issuer,
        authorization_endpoint: `${sign_in}/oauth2/authorize`,
        token_endpoint: `${sign_in}/oauth2/token`,
      },
      client_id,
      redirect_uri: REDIRECT_URL,
      scope: "openid email",
      userStore: this.#store,
      stateStore: this.#store,
      maxSilentRenewTimeoutRetries: MAX_RENEWAL_RETRIES,
    });
  }

  /**
   * Restore the session of this tab. If the browser returns from the sign-in page, finish the
   * sign-in first.
   *
   * @returns {Promise<?object>} the claims of the user's id token; null if nobody is signed in
   * @throws {Error} if the sign-in failed
   */
  async start() {
    try {
      if (await this.#isSignInResponse()) {
        await this.#manager.signinCallback();
      }
    } finally {
      if (location.search !== "") {
        history.replaceState(null, "", location.pathname);
      }
    }
    const user = await this.#manager.getUser();
    return user?.profile ?? null;
  }

  /**
   * Whether the address has the response to a sign-in that this tab began. An address from a
   * bookmark, or from the Back button after the sign-in, has an old response.
   */
  async #isSignInResponse() {
    const parameters = new URLSearchParams(location.search);
    const state = parameters.get("state");
    if (state === null || !(parameters.has("code") || parameters.has("error"))) {
      return false;
    }
    return (await this.#store.get(state)) !== null;
  }

  /**
   * The id token to send to the API. It is refreshed first if it has expired.
   *
   * @returns {Promise<string>}
   * @throws {SessionEndedError}
   * @throws {UnavailableError} if the sign-in service does not respond
   */
  async idToken() {
    const user = await this.#signedInUser();
    if (user.expired) {
      return this.refreshIdToken();
    }
    return user.id_token;
  }

  /**
   * A new id token, whether or not the current one has expired.
   *
   * @returns {Promise<string>}
   * @throws {SessionEndedError}
   * @throws {UnavailableError} if the sign-in service does not respond
   */
  async refreshIdToken() {
    let user;
    try {
      user = await this.#manager.signinSilent();
    } catch (error) {
      if (isUnavailable(error)) {
        const message = "Cannot reach the sign-in service. You may be offline.";
        throw new UnavailableError(message, { cause: error });
      }
      throw new SessionEndedError("The refresh token was refused.", { cause: error });
    }
    if (user === null) {
      throw new SessionEndedError("Nobody is signed in.");
    }
    return user.id_token;
  }

  /**
   * How long ago the user signed in, by this device's clock. Refreshing the tokens does not change
   * it.
   *
   * @returns {Promise<number>} seconds; NaN if the sign-in service does not state the time
   * @throws {SessionEndedError}
   */
  async secondsSinceSignIn() {
    const user = await this.#signedInUser();
    // The library's own copy of the claims does not contain auth_time.
    return Date.now() / 1000 - jwtDecode(user.id_token).auth_time;
  }

  /**
   * Go to the user pool's sign-in page, which sends the user back here.
   *
   * @throws {UnavailableError} if the sign-in service does not respond
   */
  async signIn() {
    await this.#goToSignInPage({});
  }

  /**
   * Go to the sign-in page, which must not reuse an earlier sign-in. Cognito's classic pages ignore
   * the parameter, so call `signOut` first.
   */
  async signInAgain() {
    await this.#goToSignInPage({ prompt: "login" });
  }

  async #signedInUser() {
    const user = await this.#manager.getUser();
    if (user === null) {
      throw new SessionEndedError("Nobody is signed in.");
    }
    return user;
  }

  async #goToSignInPage(parameters) {
    if (!(await responds(this.#signOutUrl))) {
      throw new UnavailableError("Cannot reach the sign-in page. You may be offline.");
    }
    // The library's promise settles only when the browser leaves this page. If the sign-in page
    // does not load, this page stays, and the user must be able to try again.
    const redirect = this.#manager.signinRedirect(parameters);
    await Promise.race([redirect, sleep(REDIRECT_TIMEOUT_MS)]);
  }

  /** Delete the tokens of a session that has ended. */
  async forget() {
    await this.#manager.removeUser();
  }

  /**
   * Revoke the refresh token, delete the tokens and go to the sign-out endpoint, which ends the
   * session of the sign-in page and sends the user back here.
   *
   * @returns {Promise<boolean>} false if the sign-out endpoint does not respond: this page has no
   *   tokens any more, but the sign-in page may still know the user
   */
  async signOut() {
    const user = await this.#manager.getUser();
    if (user?.refresh_token) {
      await revokeToken(this.#cognitoApi, this.#clientId, user.refresh_token);
    }
    await this.forget();
    return this.leaveSignInPage();
  }

  /**
   * Go to the sign-out endpoint.
   *
   * @returns {Promise<boolean>} false if it does not respond
   */
  async leaveSignInPage() {
    // Without this request, the user could end on the browser's error page.
    const isReachable = await responds(this.#signOutUrl);
    if (isReachable) {
      location.assign(this.#signOutUrl);
      await restoredByBackButton();
    }
    return isReachable;
  }
}

/** Whether an error of the library means that the sign-in service did not respond. */
function isUnavailable(error) {
  if (error instanceof TypeError || error instanceof ErrorTimeout) {
    return true; // from fetch: offline, connection refused, or no response in time
  }
  if (error instanceof SyntaxError) {
    return true; // an empty or damaged body
  }
  // For HTTP errors the library throws a plain Error, with the status in its message.
  return NOT_AN_OAUTH_RESPONSE.test(error.message);
}

/** Wait until the user comes back with the Back button to this page, which the browser has kept. */
function restoredByBackButton() {
  return new Promise((resolve) => {
    addEventListener("pageshow", ({ persisted }) => {
      if (persisted) {
        resolve();
      }
    });
  });
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
