// JSON with exact numbers, and the merge patch between two objects.

import { ValidationError } from "./errors.js";

/**
 * Read JSON without changing its numbers.
 *
 * A number that JavaScript would write differently (38 digits, 1.0, 1E+99) becomes a
 * `JSON.rawJSON` object, which `JSON.stringify` writes exactly as it was.
 *
 * @param {string} text
 * @returns {*}
 * @throws {SyntaxError} if the text is not JSON
 */
export function parse(text) {
  return JSON.parse(text, (_name, value, { source }) => {
    if (typeof value === "number" && String(value) !== source) {
      return JSON.rawJSON(source);
    }
    return value;
  });
}

/**
 * Whether a value that `parse` returned is a JSON object.
 *
 * @param {*} value
 * @returns {boolean}
 */
export function isObject(value) {
  if (value === null || typeof value !== "object") {
    return false;
  }
  return !Array.isArray(value) && !JSON.isRawJSON(value);
}

/**
 * Whether two values are the same JSON. The order of the names in an object does not matter.
 *
 * @param {*} first
 * @param {*} second
 * @returns {boolean}
 */
export function isEqual(first, second) {
  return canonicalText(first) === canonicalText(second);
}

function canonicalText(value) {
  return JSON.stringify(value, (_name, inner) => {
    if (isObject(inner)) {
      return Object.fromEntries(Object.entries(inner).sort(compareNames));
    }
    return inner;
  });
}

function compareNames([first], [second]) {
  return first < second ? -1 : 1;
}

/**
 * The merge patch (RFC 7396) that turns the object `before` into the object `after`. It contains
 * only what changed: new values, and null for what was removed.
 *
 * @param {object} before
 * @param {object} after
 * @param {string} [pointer] the JSON Pointer of the two objects, for errors
 * @returns {object}
 * @throws {ValidationError} for a new null: in a merge patch, null means "remove"
 */
export function mergePatch(before, after, pointer = "") {
  // Maps, because a profile may have names such as "__proto__".
  const oldValues = new Map(Object.entries(before));
  const newValues = new Map(Object.entries(after));
  const names = new Set([...oldValues.keys(), ...newValues.keys()]);
  const changes = new Map();
  for (const name of names) {
    const oldValue = oldValues.get(name);
    const newValue = newValues.get(name);
    if (!newValues.has(name)) {
      changes.set(name, null);
    } else if (!isEqual(oldValue, newValue)) {
      changes.set(name, changeOf(oldValue, newValue, `${pointer}/${escapeToken(name)}`));
    }
  }
  return Object.fromEntries(changes);
}

/** The part of a merge patch that turns one value into another. */
function changeOf(oldValue, newValue, pointer) {
  if (newValue === null) {
    const detail = "Remove this field instead of setting it to null.";
    throw new ValidationError([{ pointer, detail }]);
  }
  if (!isObject(newValue)) {
    return newValue;
  }
  const before = isObject(oldValue) ? oldValue : {};
  return mergePatch(before, newValue, pointer);
}

/** A name as one token of a JSON Pointer (RFC 6901). */
function escapeToken(name) {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}
