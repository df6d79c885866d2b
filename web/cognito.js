// Requests to Cognito that oidc-client-ts does not make.

const TIMEOUT_MS = 5_000;

/**
 * Revoke a refresh token. It fails silently, if the service does not respond or if the app client
 * has token revocation turned off.
 *
 * @param {string|undefined} url the endpoint of Cognito's API; an old config.json has none
 * @param {string} clientId the id of the user pool's app client
 * @param {string} token the refresh token
 */
export async function revokeToken(url, clientId, token) {
  if (!url) {
    return;
  }
  const headers = {
    "Content-Type": "application/x-amz-json-1.1",
    "X-Amz-Target": "AWSCognitoIdentityProviderService.RevokeToken",
  };
  const body = JSON.stringify({ Token: token, ClientId: clientId });
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    await fetch(url, { method: "POST", headers, body, signal });
  } catch {
    // Signing out goes on: the page deletes its tokens in any case.
  }
}

/**
 * Whether a URL responds, with whatever. The request carries no cookies, so it ends no session.
 *
 * @param {string} url
 * @returns {Promise<boolean>}
 */
export async function responds(url) {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    await fetch(url, { mode: "no-cors", credentials: "omit", signal });
    return true;
  } catch {
    return false;
  }
}
