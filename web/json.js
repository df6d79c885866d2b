// JSON as the service has it: numbers exact, and what changed between two objects as a merge patch.

/** Refused data: `errors` has a {pointer, detail} for each fault, as the API's own 422 does (RFC 6901 pointers). */
export class Invalid extends Error {
  constructor(errors) {
    super("The profile is not valid.");
    this.errors = errors;
  }
}

/** Read JSON. A number that JavaScript would change (38 digits, 1E+99) stays as written; JSON.stringify writes it so. */
export function parse(text) {
  return JSON.parse(text, (_, value, { source }) =>
    typeof value === "number" && String(value) !== source ? JSON.rawJSON(source) : value);
}

export function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) && !JSON.isRawJSON(value);
}

/** Whether two values are the same JSON; the order of names does not count. */
export function same(one, other) {
  return canonical(one) === canonical(other);
}

function canonical(value) {
  return JSON.stringify(value, (_, inner) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner);
}

/**
 * The merge patch (RFC 7396) that turns the object `before` into `after`: what changed alone, null for what is gone.
 *
 * Throws Invalid for a null that was not there before: to a merge patch it means "remove".
 */
export function mergePatch(before, after, pointer = "") {
  const [old, now] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  const changes = [];
  for (const name of new Set([...old.keys(), ...now.keys()])) {
    const [was, is] = [old.get(name), now.get(name)];
    const here = `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (is === undefined) {
      changes.push([name, null]);
    } else if (!same(was, is)) {
      if (is === null) throw new Invalid([{ pointer: here, detail: "Leave the name out instead of storing null." }]);
      changes.push([name, isObject(is) ? mergePatch(isObject(was) ? was : {}, is, here) : is]);
    }
  }
  return Object.fromEntries(changes);
}
