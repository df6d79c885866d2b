// The fields of the form, from the JSON Schema of profile data (draft 2020-12).

import { isObject } from "./json.js";

/** How a field is shown. */
export const Kind = Object.freeze({
  TEXT: "text",
  LONG_TEXT: "long-text",
  EMAIL: "email",
  URL: "url",
  DATE: "date",
  NUMBER: "number",
  INTEGER: "integer",
  YES_NO: "yes-no",
  CHOICE: "choice",
  LIST: "list",
  GROUP: "group",
});

/** Texts that may be longer than this have several lines. */
const LONG_TEXT_LENGTH = 200;

/** Deeper objects stay in the JSON. A schema that refers to itself has no end. */
const MAX_DEPTH = 4;

const KINDS_OF_FORMATS = new Map([
  ["date", Kind.DATE],
  ["email", Kind.EMAIL],
  ["uri", Kind.URL],
]);
const TEXT_KEYWORDS = ["format", "maxLength", "minLength", "pattern"];

/**
 * @typedef {object} Field
 * @property {string[]} path the names that lead from the profile data to the value
 * @property {string} kind a value of `Kind`
 * @property {string} title
 * @property {string} description "" if there is none
 * @property {boolean} isRequired whether the object around it must have this member
 * @property {boolean} isReadOnly
 * @property {object} schema the schema of the value
 * @property {Field[]} fields the fields of a group
 */

/** The fields of a stage without a schema. */
export const DEFAULT_FIELDS = [
  createField(["name"], Kind.TEXT, { title: "Name" }),
  createField(["bio"], Kind.LONG_TEXT, { title: "Bio" }),
];

/**
 * @param {object} schema
 * @returns {Field[]} the fields in the order of the schema. A member that the form cannot show has
 *   none.
 */
export function fieldsOf(schema) {
  return fieldsOfObject(resolve(schema, schema), [], { root: schema, isReadOnly: false });
}

/**
 * Whether a value can be an option of a choice.
 *
 * @param {*} value
 * @returns {boolean}
 */
export function isOption(value) {
  return typeof value === "string" || Number.isSafeInteger(value);
}

function createField(path, kind, schema, isRequired = false, isReadOnly = false) {
  return {
    path,
    kind,
    title: schema.title ?? path.at(-1),
    description: schema.description ?? "",
    isRequired,
    isReadOnly,
    schema,
    fields: [],
  };
}

function fieldsOfObject(schema, path, context) {
  const required = new Set(schema.required);
  const fields = [];
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    const memberSchema = resolve(member, context.root);
    const field = fieldOf(memberSchema, [...path, name], required.has(name), context);
    if (field !== null) {
      fields.push(field);
    }
  }
  return fields;
}

function fieldOf(schema, path, isRequired, context) {
  const kind = kindOf(schema);
  if (kind === null) {
    return null;
  }
  const isReadOnly = context.isReadOnly || schema.readOnly === true;
  const field = createField(path, kind, schema, isRequired, isReadOnly);
  if (kind === Kind.GROUP) {
    if (path.length < MAX_DEPTH) {
      field.fields = fieldsOfObject(schema, path, { ...context, isReadOnly });
    }
    return field.fields.length > 0 ? field : null;
  }
  return field;
}

/** A schema without its `$ref`, which must stay in the file. */
function resolve(schema, root) {
  let resolved = schema;
  for (let steps = 0; steps < MAX_DEPTH && isObject(resolved); steps += 1) {
    if (typeof resolved.$ref !== "string") {
      return resolved;
    }
    const { $ref: reference, ...others } = resolved;
    const target = schemaAt(root, reference);
    resolved = isObject(target) ? { ...target, ...others } : null;
  }
  return {}; // a boolean, an unknown reference, or references in a circle: any value
}

/** The schema at a reference such as "#/$defs/address"; undefined if there is none. */
function schemaAt(root, reference) {
  const [document, pointer = ""] = reference.split("#");
  if (document !== "" || !/^(\/|$)/.test(pointer)) {
    return undefined;
  }
  const tokens = decodeURIComponent(pointer).split("/").slice(1);
  return tokens.reduce((value, token) => {
    const name = token.replaceAll("~1", "/").replaceAll("~0", "~");
    return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  }, root);
}

/** A value of `Kind`; null if the form cannot show such values. */
function kindOf(schema) {
  if (Array.isArray(schema.enum)) {
    return schema.enum.every(isOption) ? Kind.CHOICE : null;
  }
  switch (typeOf(schema)) {
    case "string":
      return textKindOf(schema);
    case "number":
      return Kind.NUMBER;
    case "integer":
      return Kind.INTEGER;
    case "boolean":
      return Kind.YES_NO;
    case "array":
      return isObject(schema.items) && schema.items.type === "string" ? Kind.LIST : null;
    case "object":
      return Kind.GROUP;
    default:
      return null;
  }
}

function typeOf(schema) {
  const types = [schema.type ?? []].flat().filter((type) => type !== "null");
  if (types.length > 0) {
    return types.length === 1 ? types[0] : null;
  }
  if (TEXT_KEYWORDS.some((keyword) => keyword in schema)) {
    return "string";
  }
  return isObject(schema.properties) ? "object" : null;
}

function textKindOf({ format, maxLength }) {
  const kind = KINDS_OF_FORMATS.get(format);
  if (kind !== undefined) {
    return kind;
  }
  return maxLength > LONG_TEXT_LENGTH ? Kind.LONG_TEXT : Kind.TEXT;
}
