// Who is signed in. oidc-client-ts does the protocol: authorization code with PKCE, and refreshing.

import { ErrorTimeout, UserManager, WebStorageStateStore } from "oidc-client-ts";

const HERE = location.origin; // as in the pool's callback and sign-out URLs, to the letter: without a slash at the end

const PATIENCE = 3_000; // milliseconds, after which "Sign in" may be pressed again

/** Whether the sign-in service was not reached, or is not itself: busy, down, or a proxy's page in its place. */
function isNoAnswer(error) {
  // What the library throws for answers that are not OAuth's has no class, but the status or the content type in words.
  const inWords = /\((429|5\d\d)\)|Invalid response Content-Type/.test(error.message);
  return error instanceof TypeError || error instanceof SyntaxError || error instanceof ErrorTimeout || inWords;
}

/** Nobody is signed in any more, and refreshing did not help. */
export class SessionOver extends Error {}

export class Session {
  #manager;
  #clientId;

  /** `issuer`, `client_id`: of the user pool and its app client. `sign_in`: the pool's domain, https://... */
  constructor({ issuer, client_id, sign_in }) {
    const store = new WebStorageStateStore({ store: sessionStorage }); // this tab's; localStorage would outlive it
    this.#clientId = client_id;
    this.#manager = new UserManager({
      authority: issuer,
      // Cognito's addresses are known, so that nothing has to be fetched before somebody can sign in.
      metadata: {
        issuer,
        authorization_endpoint: `${sign_in}/oauth2/authorize`,
        token_endpoint: `${sign_in}/oauth2/token`,
        end_session_endpoint: `${sign_in}/logout`,
      },
      client_id,
      redirect_uri: HERE,
      scope: "openid email",
      userStore: store,
      stateStore: store,
    });
  }

  /** Finish a sign-in if that is where the browser comes from; the user's claims, or null if nobody is signed in. */
  async start() {
    const address = new URLSearchParams(location.search);
    if (address.has("code") || address.has("error")) {
      try {
        await this.#manager.signinCallback();
      } finally {
        history.replaceState(null, "", location.pathname);
      }
    }
    return (await this.#manager.getUser())?.profile ?? null;
  }

  /** The id token to send; a new one if it has expired, or `renew`. Throws SessionOver, or what fetch throws. */
  async idToken(renew = false) {
    let user = await this.#manager.getUser();
    if (user && (renew || user.expired)) {
      try {
        user = await this.#manager.signinSilent();
      } catch (error) {
        if (isNoAnswer(error)) throw error; // and so no refusal
        throw new SessionOver("The refresh token was refused.", { cause: error });
      }
    }
    if (!user) throw new SessionOver("Nobody is signed in.");
    return user.id_token;
  }

  /** Leave for the pool's sign-in page, which sends the user back here. */
  async signIn() {
    // The library waits until this page is shown again. Where the sign-in page does not come, it is: so not for ever.
    await Promise.race([this.#manager.signinRedirect(), new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
  }

  /** Forget the tokens, and leave for the pool's sign-out, which ends its own session and sends the user back here. */
  async signOut() {
    await this.#manager.removeUser(); // first: else the id token would be added to the address, which Cognito ignores
    await this.#manager.signoutRedirect({ extraQueryParams: { client_id: this.#clientId, logout_uri: HERE } });
  }
}
