// The three-way merge of profile data: what was changed here, and what was changed elsewhere.

import { isEqual, isObject } from "./json.js";
import { setAt, removeAt } from "./paths.js";

/**
 * @typedef {object} Conflict a value that was changed here and, in another way, elsewhere. A value
 *   is undefined if it is not set.
 * @property {string[]} path
 * @property {*} base the value before both changes
 * @property {*} saved the value that was saved elsewhere
 * @property {*} edited the value in the form
 */

/**
 * Merge two changes of the same profile data. Objects are merged member by member; every other
 * value, also a list, is one value.
 *
 * @param {object} base the data before both changes
 * @param {object} saved the data that was saved elsewhere
 * @param {object} edited the data in the form
 * @returns {{data: object, conflicts: Conflict[]}} `data` has the saved values where there is a
 *   conflict
 */
export function mergeChanges(base, saved, edited) {
  const conflicts = [];
  const data = mergeObjects(base, saved, edited, [], conflicts);
  return { data, conflicts };
}

/**
 * Use the value in the form for one conflict.
 *
 * @param {object} data
 * @param {Conflict} conflict
 */
export function useEdited(data, { path, edited }) {
  if (edited === undefined) {
    removeAt(data, path);
  } else {
    setAt(data, path, edited);
  }
}

function mergeObjects(base, saved, edited, path, conflicts) {
  // Maps, because a profile may have names such as "__proto__".
  const baseValues = new Map(Object.entries(base));
  const savedValues = new Map(Object.entries(saved));
  const editedValues = new Map(Object.entries(edited));
  const merged = new Map();
  for (const name of new Set([...savedValues.keys(), ...editedValues.keys()])) {
    const values = [baseValues.get(name), savedValues.get(name), editedValues.get(name)];
    const value = mergeValues(...values, [...path, name], conflicts);
    if (value !== undefined) {
      merged.set(name, value);
    }
  }
  return Object.fromEntries(merged);
}

function mergeValues(base, saved, edited, path, conflicts) {
  if (isEqual(base, edited) || isEqual(saved, edited)) {
    return saved;
  }
  if (isEqual(base, saved)) {
    return edited;
  }
  if (isObject(saved) && isObject(edited)) {
    const before = isObject(base) ? base : {};
    return mergeObjects(before, saved, edited, path, conflicts);
  }
  conflicts.push({ path, base, saved, edited });
  return saved;
}
