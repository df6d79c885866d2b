// The dialogs: a choice between two versions of the profile, the confirmation of a deletion, and the
// offer to sign in again.

import { isEqual } from "./json.js";

const view = {
  conflict: document.querySelector("#conflict"),
  conflictText: document.querySelector("#conflict-text"),
  differences: document.querySelector("#differences"),
  useSavedButton: document.querySelector("#use-saved"),
  confirmDelete: document.querySelector("#confirm-delete"),
  confirmDeleteAccount: document.querySelector("#confirm-delete-account"),
  confirmDeleteAccountForm: document.querySelector("#confirm-delete-account form"),
  accountEmail: document.querySelector("#account-email"),
  signInAgain: document.querySelector("#sign-in-again"),
};

/**
 * Show what differs between the saved profile and the user's edits, and let the user choose.
 *
 * @param {?import("./profile-api.js").Profile} saved the saved profile; null if it was deleted
 * @param {object} edited the profile data in the form
 * @returns {Promise<"edited"|"saved"|"">} the version to keep; "" to keep editing
 */
export async function askWhichVersion(saved, edited) {
  let savedData = {};
  if (saved === null) {
    view.conflictText.textContent = "It was deleted in another tab or on another device.";
    view.useSavedButton.textContent = "Discard my version";
  } else {
    savedData = saved.data;
    view.conflictText.textContent = "It was saved in another tab or on another device.";
    view.useSavedButton.textContent = "Use the saved version";
  }
  view.differences.replaceChildren(...differingRows(savedData, edited));
  return ask(view.conflict);
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
function ask(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

/** One table row for each top-level field that differs. */
function differingRows(saved, edited) {
  const savedValues = new Map(Object.entries(saved));
  const editedValues = new Map(Object.entries(edited));
  const names = new Set([...savedValues.keys(), ...editedValues.keys()]);
  const rows = [];
  for (const name of names) {
    const values = [savedValues.get(name), editedValues.get(name)];
    if (!isEqual(...values)) {
      rows.push(createRow(name, values));
    }
  }
  return rows;
}

function createRow(name, values) {
  const heading = document.createElement("th");
  heading.scope = "row";
  heading.textContent = name;
  const row = document.createElement("tr");
  row.append(heading);
  for (const value of values) {
    row.insertCell().textContent = displayText(value);
  }
  return row;
}

function displayText(value) {
  if (value === undefined) {
    return "(not set)";
  }
  if (typeof value === "string") {
    return value;
  }
  return JSON.stringify(value, null, 2);
}
