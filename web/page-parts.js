// The parts of the page around the form, and when they are visible.

const view = {
  account: document.querySelector("#account"),
  email: document.querySelector("#email"),
  signedOut: document.querySelector("#signed-out"),
  summary: document.querySelector("#summary"),
  deletions: document.querySelector("#deletions"),
  profileDeletion: document.querySelector("#profile-deletion"),
  accountDeletion: document.querySelector("#account-deletion"),
};

/** The buttons outside the form, by their action. */
export const buttons = {
  signIn: document.querySelector("#sign-in"),
  signOut: document.querySelector("#sign-out"),
  deleteProfile: document.querySelector("#delete"),
  deleteAccount: document.querySelector("#delete-account"),
};

/** Hide the parts for a signed-in user. */
export function hideSignedInParts() {
  view.email.textContent = "";
  view.account.hidden = true;
  view.deletions.hidden = true;
}

/** Show the part for a user who is not signed in. */
export function showSignedOutPart() {
  view.signedOut.hidden = false;
}

/** @param {string} email the signed-in user's */
export function showAccount(email) {
  view.email.textContent = email;
  view.account.hidden = false;
}

/**
 * Show what can be deleted.
 *
 * @param {boolean} hasProfile
 * @param {boolean} canDeleteAccount
 */
export function showDeletions(hasProfile, canDeleteAccount) {
  view.summary.hidden = !hasProfile;
  view.profileDeletion.hidden = !hasProfile;
  view.accountDeletion.hidden = !canDeleteAccount;
  view.deletions.hidden = !hasProfile && !canDeleteAccount;
}
