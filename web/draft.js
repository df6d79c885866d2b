// Edits that are not saved yet. They are kept in sessionStorage, so that they survive a reload of
// the page and another sign-in.

import { parse } from "./json.js";

const KEY = "draft";

/**
 * @typedef {object} Draft
 * @property {string} sub the user who made the edits
 * @property {?import("./profile-api.js").Profile} base the profile that was edited; null if there
 *   was none
 * @property {Object<string, string>} typed the text of each field
 */

/** @param {Draft} draft */
export function saveDraft(draft) {
  sessionStorage.setItem(KEY, JSON.stringify(draft));
}

/**
 * @param {string} sub the signed-in user
 * @returns {?Draft} null if this user has no unsaved edits
 */
export function loadDraft(sub) {
  const text = sessionStorage.getItem(KEY);
  if (text === null) {
    return null;
  }
  const draft = parse(text);
  return draft.sub === sub ? draft : null;
}

export function deleteDraft() {
  sessionStorage.removeItem(KEY);
}
