// A deletion of the account that is not finished: the user has left the page to sign in again, or
// the API has not confirmed the deletion. It is kept in sessionStorage, for this tab only.

const KEY = "pending-account-deletion";
const LIFETIME_MS = 15 * 60 * 1000;

/** What the user or the page is doing. */
export const Step = Object.freeze({
  SIGNING_OUT: "signing-out",
  SIGNING_IN: "signing-in",
  DELETING: "deleting",
});

/**
 * @typedef {object} PendingDeletion
 * @property {string} sub the user who wants to delete the account
 * @property {string} step a value of `Step`
 */

/**
 * @param {string} sub
 * @param {string} step
 */
export function savePendingDeletion(sub, step) {
  const expiresAt = Date.now() + LIFETIME_MS;
  sessionStorage.setItem(KEY, JSON.stringify({ sub, step, expiresAt }));
}

/** @returns {?PendingDeletion} null if there is none, or if it was saved too long ago */
export function loadPendingDeletion() {
  const value = readStorage();
  if (value === null || !(value.expiresAt > Date.now())) {
    forgetPendingDeletion();
    return null;
  }
  return value;
}

export function forgetPendingDeletion() {
  sessionStorage.removeItem(KEY);
}

/** The stored value; null if there is none or it is not JSON. */
function readStorage() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}
