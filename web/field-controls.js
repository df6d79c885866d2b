// The HTML controls of fields.

import { CHECKED, UNCHECKED } from "./field-values.js";
import { Kind } from "./schema.js";

/** Names that browsers can fill in (HTML, section "Autofill"). */
const AUTOCOMPLETE = new Map([
  ["name", "name"],
  ["email", "email"],
  ["birthdate", "bday"],
  ["website", "url"],
  ["picture", "photo"],
]);
const INPUT_TYPES = new Map([
  [Kind.EMAIL, "email"],
  [Kind.URL, "url"],
  [Kind.DATE, "date"],
  [Kind.YES_NO, "checkbox"],
]);
const ROWS = new Map([
  [Kind.LONG_TEXT, 4],
  [Kind.LIST, 3],
]);

/**
 * @param {import("./schema.js").Field} field not a group
 * @param {function(): boolean} isBusy whether the user must not change the control for the moment.
 *   Checkboxes and selects have no `readOnly`, and disabling them would lose the focus.
 * @returns {HTMLElement}
 */
export function createControl(field, isBusy) {
  const { kind, path, schema } = field;
  if (kind === Kind.CHOICE) {
    return createSelect(schema.enum, isBusy);
  }
  if (ROWS.has(kind)) {
    const area = document.createElement("textarea");
    area.rows = ROWS.get(kind);
    return area;
  }
  const input = document.createElement("input");
  input.type = INPUT_TYPES.get(kind) ?? "text";
  if (kind === Kind.YES_NO) {
    block(input, ["click"], isBusy);
    return input;
  }
  if (kind === Kind.NUMBER || kind === Kind.INTEGER) {
    input.inputMode = "decimal"; // type="number" would round
  }
  input.autocomplete = AUTOCOMPLETE.get(path.join(".")) ?? "off";
  return input;
}

/** The text in a control that `createControl` has created; see `textOf`. */
export function readText(control) {
  if (control.type === "checkbox") {
    return control.checked ? CHECKED : UNCHECKED;
  }
  if (control.type === "url") {
    return control.value.trim(); // HTML says that the browser does this, but Chromium does not
  }
  return control.value;
}

/** Replace the text in a control that `createControl` has created. */
export function writeText(control, text) {
  if (control.type === "checkbox") {
    control.checked = text === CHECKED;
    return;
  }
  control.value = text;
  if (control.tagName === "SELECT" && control.value !== text) {
    control.append(createOption(text)); // a stored value that is no longer an option
    control.value = text;
  }
}

/** A control that shows a value, but cannot change it. */
export function createReadOnlyControl(value) {
  const input = document.createElement("input");
  input.className = "fixed";
  input.readOnly = true;
  input.value = readableText(value);
  return input;
}

/**
 * A value as text for people.
 *
 * @param {*} value undefined if it is not set
 * @returns {string}
 */
export function readableText(value) {
  if (value === undefined) {
    return "Not set";
  }
  if (typeof value === "boolean") {
    return value ? "Yes" : "No";
  }
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) {
    return value.join(", ");
  }
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

function createSelect(values, isBusy) {
  const select = document.createElement("select");
  const texts = values.map((value) => JSON.stringify(value));
  select.append(...["", ...texts].map(createOption));
  block(select, ["mousedown", "keydown"], isBusy);
  return select;
}

/** @param {string} text the JSON of the option's value; "" for no value */
function createOption(text) {
  const option = document.createElement("option");
  option.value = text;
  option.textContent = text === "" ? "Not set" : String(JSON.parse(text));
  return option;
}

/** Ignore events of a control while `isBusy`. The Tab key still leaves the control. */
function block(control, types, isBusy) {
  for (const type of types) {
    control.addEventListener(type, (event) => {
      if (isBusy() && event.key !== "Tab") {
        event.preventDefault();
      }
    });
  }
}
