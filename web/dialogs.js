// The dialogs that ask a question with two answers.

const view = {
  confirmDiscard: document.querySelector("#confirm-discard"),
  confirmSignOut: document.querySelector("#confirm-sign-out"),
  confirmDelete: document.querySelector("#confirm-delete"),
  confirmDeleteAccount: document.querySelector("#confirm-delete-account"),
  confirmDeleteAccountForm: document.querySelector("#confirm-delete-account form"),
  accountEmail: document.querySelector("#account-email"),
  signInAgain: document.querySelector("#sign-in-again"),
};

/**
 * Ask the user whether to lose the unsaved changes.
 *
 * @returns {Promise<boolean>}
 */
export async function confirmDiscarding() {
  const answer = await ask(view.confirmDiscard);
  return answer === "discard";
}

/**
 * Ask the user whether to sign out and lose the unsaved changes.
 *
 * @returns {Promise<boolean>}
 */
export async function confirmSigningOut() {
  const answer = await ask(view.confirmSignOut);
  return answer === "sign-out";
}

/**
 * Ask the user whether to delete the profile.
 *
 * @returns {Promise<boolean>}
 */
export async function confirmDeletion() {
  const answer = await ask(view.confirmDelete);
  return answer === "delete";
}

/**
 * Ask the user whether to delete the account.
 *
 * @param {string} email the account's email address
 * @returns {Promise<boolean>}
 */
export async function confirmAccountDeletion(email) {
  view.accountEmail.textContent = email;
  view.confirmDeleteAccountForm.reset();
  const answer = await ask(view.confirmDeleteAccount);
  return answer === "delete";
}

/**
 * Explain that deleting the account needs a more recent sign-in.
 *
 * @returns {Promise<boolean>} whether the user wants to sign in again
 */
export async function askForNewSignIn() {
  const answer = await ask(view.signInAgain);
  return answer === "sign-in";
}

/** Show a dialog. Returns the value of the button that closed it; "" for Escape. */
export function ask(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}
