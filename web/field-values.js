// The values of fields as the text in their controls, and back.

import { parse } from "./json.js";
import { Kind, isOption } from "./schema.js";

export const CHECKED = "true";
export const UNCHECKED = "false";

const DATE = /^(?!0000)\d{4}-\d\d-\d\d$/;

/**
 * @param {import("./schema.js").Field} field
 * @param {*} value the stored value; undefined if there is none
 * @returns {?string} null if the field cannot show the value, for example one of another type
 */
export function textOf(field, value) {
  if (value === undefined || (value === null && allowsNull(field))) {
    return field.kind === Kind.YES_NO ? UNCHECKED : "";
  }
  switch (field.kind) {
    case Kind.NUMBER:
    case Kind.INTEGER:
      return textOfNumber(value);
    case Kind.YES_NO:
      return typeof value === "boolean" ? String(value) : null;
    case Kind.CHOICE:
      return textOfOption(field, value);
    case Kind.LIST:
      return textOfList(value);
    case Kind.DATE:
      return isDate(value) ? value : null;
    default:
      return typeof value === "string" ? value : null;
  }
}

/**
 * @param {import("./schema.js").Field} field
 * @param {string} text a text in which `problemOf` finds no problem
 * @returns {*} undefined if the profile shall not have the value
 */
export function valueOf(field, text) {
  if (text === "") {
    return undefined;
  }
  switch (field.kind) {
    case Kind.NUMBER:
    case Kind.INTEGER:
      return parse(text.trim());
    case Kind.YES_NO:
      return text === CHECKED;
    case Kind.CHOICE:
      return parse(text);
    case Kind.LIST: {
      const items = itemsOf(text);
      return items.length > 0 ? items : undefined;
    }
    default:
      return text;
  }
}

/** The items in the text of a list: one in each line. */
export function itemsOf(text) {
  return text.split("\n").filter((line) => line.trim() !== "");
}

function allowsNull({ schema }) {
  return Array.isArray(schema.type) && schema.type.includes("null");
}

/** Whether a date input can show the value. It would be empty for a day such as 30 February. */
function isDate(value) {
  if (typeof value !== "string" || !DATE.test(value)) {
    return false;
  }
  const date = new Date(value); // NaN for month 13; a browser may take 30 February as 2 March
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(value);
}

function textOfNumber(value) {
  if (typeof value === "number") {
    return String(value);
  }
  return JSON.isRawJSON(value) ? value.rawJSON : null;
}

/** The JSON of an option. A stored value that is no longer an option stays selected. */
function textOfOption({ schema }, value) {
  const isSimilar = schema.enum.some((option) => typeof option === typeof value);
  return isOption(value) && isSimilar ? JSON.stringify(value) : null;
}

/** The lines of a list of strings; null if one of its strings has no line of its own. */
function textOfList(value) {
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    return null;
  }
  const text = value.join("\n");
  const lines = itemsOf(text);
  const isSame = lines.length === value.length && !/\r/.test(text);
  return isSame ? text : null;
}
