// Edits that are not saved yet. They are kept in sessionStorage, so that they survive a reload of
// the page and another sign-in.

import { isObject, parse } from "./json.js";

const KEY = "unsaved-edits";

/**
 * @typedef {object} Draft
 * @property {string} sub the user who made the edits
 * @property {?import("./profile-api.js").Profile} base the profile that was edited; null if there
 *   was none
 * @property {Object<string, string>} texts the text of each field; see `ProfileForm.texts`
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
  const draft = readStorage();
  if (isDraft(draft) && draft.sub === sub) {
    return draft;
  }
  return null;
}

export function deleteDraft() {
  sessionStorage.removeItem(KEY);
}

/** The stored value; null if there is none or it is not JSON. */
function readStorage() {
  const text = sessionStorage.getItem(KEY);
  if (text === null) {
    return null;
  }
  try {
    return parse(text);
  } catch {
    return null;
  }
}

/** Whether a value can be restored. Another version of the page may have stored another shape. */
function isDraft(value) {
  if (!isObject(value) || !isObject(value.texts)) {
    return false;
  }
  if (value.base !== null && !isProfile(value.base)) {
    return false;
  }
  const texts = Object.values(value.texts);
  return Object.hasOwn(value.texts, "advanced") && texts.every(isText);
}

function isProfile(value) {
  return isObject(value) && isObject(value.data) && typeof value.etag === "string";
}

function isText(value) {
  return typeof value === "string";
}
