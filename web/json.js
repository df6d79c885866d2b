// JSON with exact numbers, and the merge patch between two objects.

/** The tokens of a JSON text from which the names in its objects follow. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g;

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
 * A copy of a value that `parse` returned. Its numbers stay exact.
 *
 * @param {*} value
 * @returns {*}
 */
export function copy(value) {
  return parse(JSON.stringify(value));
}

/**
 * A name that occurs twice in one object. `parse` would keep only the last value.
 *
 * @param {string} text valid JSON
 * @returns {?string} null if there is none
 */
export function duplicateName(text) {
  const openNames = []; // for each open object the names in it, for each open array null
  let lastString = "";
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{") {
      openNames.push(new Set());
    } else if (token === "[") {
      openNames.push(null);
    } else if (token === "}" || token === "]") {
      openNames.pop();
    } else if (token !== ":") {
      lastString = JSON.parse(token);
    } else if (openNames.at(-1).has(lastString)) {
      return lastString;
    } else {
      openNames.at(-1).add(lastString);
    }
  }
  return null;
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
 * @returns {?object} null if no merge patch can do that, because `after` has a new null in an
 *   object: in a merge patch, null means "remove"
 */
export function mergePatch(before, after) {
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
      const change = changeOf(oldValue, newValue);
      if (change === null) {
        return null;
      }
      changes.set(name, change);
    }
  }
  return Object.fromEntries(changes);
}

/** The part of a merge patch that turns one value into another; null if there is none. */
function changeOf(oldValue, newValue) {
  if (!isObject(newValue)) {
    return newValue;
  }
  const before = isObject(oldValue) ? oldValue : {};
  return mergePatch(before, newValue);
}
