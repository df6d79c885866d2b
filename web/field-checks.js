// Checks of what the user typed, for a quick answer. The API decides what is valid.

import { itemsOf } from "./field-values.js";
import { Kind } from "./schema.js";

const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const EMAIL = /^[^\s@]+@[^\s@]+$/;

/**
 * @param {import("./schema.js").Field} field
 * @param {string} text the text in the field's control
 * @returns {string} what to correct; "" if nothing is wrong
 */
export function problemOf(field, text) {
  if (text === "") {
    return "";
  }
  switch (field.kind) {
    case Kind.NUMBER:
    case Kind.INTEGER:
      return problemOfNumber(field, text.trim());
    case Kind.LIST:
      return problemOfList(field.schema, itemsOf(text));
    case Kind.YES_NO:
    case Kind.CHOICE:
    case Kind.DATE:
      return "";
    default:
      return problemOfLength(field.schema, text) || problemOfForm(field, text);
  }
}

function problemOfNumber({ kind, schema }, text) {
  if (kind === Kind.INTEGER && !Number.isInteger(Number(text))) {
    return "Enter a whole number, such as 5.";
  }
  if (!JSON_NUMBER.test(text)) {
    return "Enter a number, such as 1.5.";
  }
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  const number = Number(text);
  if (number < minimum) {
    return `Enter ${minimum} or more.`;
  }
  if (number > maximum) {
    return `Enter ${maximum} or less.`;
  }
  if (number <= exclusiveMinimum) {
    return `Enter more than ${exclusiveMinimum}.`;
  }
  if (number >= exclusiveMaximum) {
    return `Enter less than ${exclusiveMaximum}.`;
  }
  return "";
}

function problemOfList({ minItems, maxItems }, items) {
  if (items.length < minItems) {
    return `Enter at least ${minItems} lines.`;
  }
  if (items.length > maxItems) {
    return `Enter at most ${maxItems} lines. You have ${items.length}.`;
  }
  return "";
}

function problemOfLength({ minLength, maxLength }, text) {
  const length = [...text].length; // JSON Schema counts code points
  if (length < minLength) {
    return `Use at least ${minLength} characters.`;
  }
  if (length > maxLength) {
    return `Use at most ${maxLength} characters. You have ${length}.`;
  }
  return "";
}

function problemOfForm({ kind, schema }, text) {
  const hasForm = matches(schema.pattern, text);
  if (kind === Kind.URL && !(hasForm && URL.canParse(text))) {
    return "Enter a complete web address, such as https://example.com.";
  }
  if (kind === Kind.EMAIL && !(hasForm && EMAIL.test(text))) {
    return "Enter an e-mail address, such as ada@example.com.";
  }
  return hasForm ? "" : "This does not have the expected form.";
}

/** Whether a text matches a pattern. The API checks a pattern that this browser does not know. */
function matches(pattern, text) {
  if (pattern === undefined) {
    return true;
  }
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return true;
  }
}
