// The form: a field for the name, one for the bio, and one for all other profile data as JSON.

import { ValidationError } from "./errors.js";
import { isObject, parse } from "./json.js";

const TEXT_FIELDS = ["name", "bio"];
const OTHER_FIELD = "other";
export const FIELDS = [...TEXT_FIELDS, OTHER_FIELD];

const view = {
  form: document.querySelector("#profile"),
  lastSaved: document.querySelector("#last-saved"),
  discardButton: document.querySelector("#discard"),
  deleteButton: document.querySelector("#delete"),
  inputs: {
    name: document.querySelector("#name"),
    bio: document.querySelector("#bio"),
    other: document.querySelector("#other"),
  },
  errors: {
    name: document.querySelector("#name-error"),
    bio: document.querySelector("#bio-error"),
    other: document.querySelector("#other-error"),
  },
};

export class ProfileForm {
  /**
   * The saved profile that the user edits; null if there is none.
   *
   * @type {?import("./profile-api.js").Profile}
   */
  base = null;

  /**
   * Set what happens when the user changes a field or presses a button of the form.
   *
   * @param {Object<string, function(): void>} handlers
   */
  setHandlers({ onEdit, onSave, onDiscard, onDelete }) {
    view.form.addEventListener("input", onEdit);
    view.form.addEventListener("submit", (event) => {
      event.preventDefault();
      onSave();
    });
    view.discardButton.addEventListener("click", onDiscard);
    view.deleteButton.addEventListener("click", onDelete);
  }

  get isVisible() {
    return !view.form.hidden;
  }

  hide() {
    view.form.hidden = true;
  }

  /** Fill the fields with a saved profile, or empty them for null. */
  show(profile) {
    this.base = profile;
    const other = { ...profile?.data };
    for (const field of TEXT_FIELDS) {
      view.inputs[field].value = "";
      // Another client may have saved a name that is not a string. It stays in the JSON.
      if (typeof other[field] === "string") {
        view.inputs[field].value = other[field];
        delete other[field];
      }
    }
    view.inputs.other.value = JSON.stringify(other, null, 2);
    this.#reveal();
  }

  /** Fill the fields with unsaved edits of a saved profile. */
  restore(base, texts) {
    this.base = base;
    for (const field of FIELDS) {
      view.inputs[field].value = texts[field];
    }
    this.#reveal();
  }

  #reveal() {
    view.lastSaved.textContent = describeLastSave(this.base);
    view.deleteButton.hidden = this.base === null;
    view.form.hidden = false;
  }

  /** The text of each field, for `restore`. */
  texts() {
    const texts = {};
    for (const field of FIELDS) {
      texts[field] = view.inputs[field].value;
    }
    return texts;
  }

  /**
   * The profile data in the fields.
   *
   * @returns {object}
   * @throws {ValidationError}
   */
  data() {
    const other = readJsonObject(view.inputs.other.value);
    const data = { ...other };
    for (const field of TEXT_FIELDS) {
      if (typeof other[field] === "string") {
        throw invalidJsonField(`Remove "${field}" here: it has its own field above.`);
      }
      const text = this.#text(field);
      // An empty field means that the profile has no such field, unless "" was saved.
      const keepsEmptyText = this.base?.data[field] === "" && !Object.hasOwn(other, field);
      if (text !== "" || keepsEmptyText) {
        data[field] = text;
      }
    }
    return data;
  }

  /**
   * The text of a field. It is the saved text if the user did not change it: an <input> drops line
   * breaks, and a <textarea> changes CR LF to LF.
   */
  #text(field) {
    const input = view.inputs[field];
    const saved = this.base?.data[field];
    if (typeof saved !== "string") {
      return input.value;
    }
    const unedited = input.cloneNode();
    unedited.value = saved;
    if (input.value === unedited.value) {
      return saved;
    }
    return input.value;
  }

  /**
   * Show each error next to its field, and focus the first of these fields.
   *
   * @param {{pointer: string, detail: string}[]} errors
   */
  showErrors(errors) {
    const messages = { name: [], bio: [], other: [] };
    for (const { pointer, detail } of errors) {
      messages[fieldOf(pointer)].push(errorMessage(pointer, detail));
    }
    for (const field of FIELDS) {
      view.errors[field].textContent = messages[field].join("\n");
      view.inputs[field].setAttribute("aria-invalid", messages[field].length > 0);
    }
    const firstInvalid = FIELDS.find((field) => messages[field].length > 0);
    if (firstInvalid !== undefined) {
      view.inputs[firstInvalid].focus();
    }
  }

  clearErrors() {
    this.showErrors([]);
  }

  focus() {
    view.inputs.name.focus();
  }

  /** @param {boolean} isReadOnly */
  setReadOnly(isReadOnly) {
    for (const input of Object.values(view.inputs)) {
      input.readOnly = isReadOnly;
    }
  }
}

function describeLastSave(profile) {
  if (profile === null) {
    return "You have not saved a profile yet.";
  }
  if (!profile.updatedAt) {
    return ""; // a profile of the original example has no time
  }
  const format = { dateStyle: "long", timeStyle: "short" };
  return `Last saved ${new Date(profile.updatedAt).toLocaleString(undefined, format)}`;
}

/** Read the text of the JSON field. An empty field means an empty object. */
function readJsonObject(text) {
  // trim() also removes white space that is not allowed in JSON, such as a pasted no-break space.
  const trimmed = text.trim();
  if (trimmed === "") {
    return {};
  }
  let value;
  try {
    value = parse(trimmed);
  } catch (error) {
    throw invalidJsonField(`This is not valid JSON: ${error.message}`);
  }
  if (!isObject(value)) {
    throw invalidJsonField('This must be a JSON object, for example {"city": "London"}.');
  }
  return value;
}

function invalidJsonField(detail) {
  return new ValidationError([{ pointer: "", detail }]);
}

/** The field that shows the value at a JSON Pointer into the profile data. */
function fieldOf(pointer) {
  return TEXT_FIELDS.find((field) => pointer === `/${field}`) ?? OTHER_FIELD;
}

/** The text of an error. In the JSON field, the pointer shows which value is not valid. */
function errorMessage(pointer, detail) {
  if (pointer === "" || fieldOf(pointer) !== OTHER_FIELD) {
    return detail;
  }
  return `${pointer}: ${detail}`;
}
