// Paths: the names that lead from profile data to a value in nested objects.

import { isObject } from "./json.js";

/**
 * @param {object} data
 * @param {string[]} path
 * @returns {*} undefined if there is no such value
 */
export function valueAt(data, path) {
  let value = data;
  for (const name of path) {
    if (!isObject(value) || !Object.hasOwn(value, name)) {
      return undefined;
    }
    value = value[name];
  }
  return value;
}

/**
 * Set a value in `data`. Objects on the way that do not exist are created.
 *
 * @param {object} data
 * @param {string[]} path
 * @param {*} value
 * @returns {boolean} false if there is a value on the way that is not an object; `data` may have
 *   new empty objects then
 */
export function setAt(data, path, value) {
  let object = data;
  for (const name of path.slice(0, -1)) {
    if (!Object.hasOwn(object, name)) {
      setMember(object, name, {});
    }
    object = object[name];
    if (!isObject(object)) {
      return false;
    }
  }
  setMember(object, path.at(-1), value);
  return true;
}

/**
 * Remove a value from `data`, and the objects around it that become empty.
 *
 * @param {object} data
 * @param {string[]} path
 */
export function removeAt(data, path) {
  if (valueAt(data, path) === undefined) {
    return;
  }
  const parentPath = path.slice(0, -1);
  const parent = valueAt(data, parentPath);
  delete parent[path.at(-1)];
  if (parentPath.length > 0 && Object.keys(parent).length === 0) {
    removeAt(data, parentPath);
  }
}

/**
 * The JSON Pointer (RFC 6901) of a path.
 *
 * @param {string[]} path
 * @returns {string}
 */
export function pointerOf(path) {
  return path.map((name) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** Unlike an assignment, this also works for the name "__proto__". */
function setMember(object, name, value) {
  Object.defineProperty(object, name, {
    value,
    configurable: true,
    enumerable: true,
    writable: true,
  });
}
