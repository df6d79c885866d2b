// The form: a field for each member that the schema describes, and "Advanced" for all other data.

import { Advanced } from "./advanced.js";
import { ValidationError } from "./errors.js";
import { createFields } from "./form-layout.js";
import { copy } from "./json.js";
import { removeAt, setAt, valueAt } from "./paths.js";
import { Kind } from "./schema.js";

const view = {
  form: document.querySelector("#profile"),
  fields: document.querySelector("#fields"),
  lastSaved: document.querySelector("#last-saved"),
  invitation: document.querySelector("#invitation"),
  unsaved: document.querySelector("#unsaved"),
  saveButton: document.querySelector("#save"),
  discardButton: document.querySelector("#discard"),
};

export class ProfileForm {
  /**
   * The saved profile that the user edits; null if there is none.
   *
   * @type {?import("./profile-api.js").Profile}
   */
  base = null;

  #views;
  #advanced;

  /** @param {import("./schema.js").Field[]} fields */
  constructor(fields) {
    const { elements, views } = createFields(fields);
    this.#views = views;
    this.#advanced = new Advanced(views.length === 0);
    view.fields.replaceChildren(...elements);
  }

  /**
   * Set what happens when the user changes a field or presses a button of the form.
   *
   * @param {Object<string, function(): void>} handlers
   */
  setHandlers({ onEdit, onSave, onDiscard }) {
    view.form.addEventListener("input", ({ target }) => {
      this.#partAround(target)?.setError("");
      this.#showWhetherChanged();
      onEdit();
    });
    // A part of a date is no "input".
    view.form.addEventListener("keyup", () => this.#showWhetherChanged());
    view.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.isChanged) {
        onSave();
      }
    });
    view.discardButton.addEventListener("click", () => {
      if (this.isChanged) {
        onDiscard();
      }
    });
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
    const data = profile?.data ?? {};
    const others = copy(data);
    for (const fieldView of this.#views) {
      fieldView.show(valueAt(data, fieldView.field.path));
      if (!fieldView.isInAdvanced) {
        removeAt(others, fieldView.field.path);
      }
    }
    this.#advanced.show(others);
    view.lastSaved.textContent = describeLastSave(profile);
    view.invitation.hidden = profile !== null;
    view.form.hidden = false;
    this.#showWhetherChanged();
  }

  /** The text of each field, for `restore`. */
  texts() {
    const texts = { advanced: this.#advanced.text };
    for (const { pointer, text } of this.#views) {
      texts[pointer] = text;
    }
    return texts;
  }

  /** Show unsaved edits of a saved profile. */
  restore(base, texts) {
    this.show(base);
    this.#advanced.text = texts.advanced;
    for (const fieldView of this.#views) {
      fieldView.text = texts[fieldView.pointer] ?? fieldView.text;
    }
    this.#showWhetherChanged();
  }

  /** Whether the user changed something. */
  get isChanged() {
    return this.#advanced.isChanged || this.#views.some((fieldView) => fieldView.isChanged);
  }

  /**
   * The profile data in the fields.
   *
   * @returns {object}
   * @throws {ValidationError} if the page finds an error
   */
  data() {
    const data = this.#advanced.data();
    const shown = this.#views.filter(({ isInAdvanced }) => !isInAdvanced);
    const errors = shown.flatMap((fieldView) => errorsOf(fieldView, data));
    for (const { field, pointer, value } of shown.filter(({ problem }) => problem === "")) {
      if (value !== undefined && !setAt(data, field.path, value)) {
        errors.push({ pointer: "", detail: `${pointer}: Remove this here. It has fields above.` });
      }
    }
    for (const { field, pointer } of shown.filter(({ isMissing }) => isMissing)) {
      // A member of an object is only required if there is the object.
      const isObjectMissing = valueAt(data, field.path.slice(0, -1)) === undefined;
      if (field.kind === Kind.YES_NO && !isObjectMissing) {
        setAt(data, field.path, false); // an empty checkbox is an answer
      } else if (!isObjectMissing) {
        errors.push({ pointer, detail: "This field is required." });
      }
    }
    if (errors.length > 0) {
      throw new ValidationError(errors);
    }
    return data;
  }

  /**
   * Show each error next to its field, and focus the first of these fields.
   *
   * @param {{pointer: string, detail: string}[]} errors
   */
  showErrors(errors) {
    const details = new Map();
    for (const { pointer, detail } of errors) {
      const part = this.#partOf(pointer);
      const isInField = part !== this.#advanced || pointer === "";
      const text = isInField ? detail : `${pointer}: ${detail}`;
      details.set(part, [...(details.get(part) ?? []), text]);
    }
    for (const part of this.#parts) {
      part.setError((details.get(part) ?? []).join("\n"));
    }
    this.#parts.find((part) => details.has(part))?.focus();
  }

  clearErrors() {
    this.showErrors([]);
  }

  focus() {
    this.#parts[0].focus();
  }

  /** The title of the field at a path; the names of the path if no field shows it. */
  titleOf(path) {
    const found = this.#views.find(({ field }) => field.path.join("\n") === path.join("\n"));
    return found?.field.title ?? path.join(" › ");
  }

  /** @param {boolean} isBusy whether an action is running, which may overwrite the fields */
  setBusy(isBusy) {
    for (const part of this.#parts) {
      part.setBusy(isBusy);
    }
  }

  /** @param {boolean} isSaving */
  setSaving(isSaving) {
    view.saveButton.textContent = isSaving ? "Saving…" : "Save";
  }

  get #parts() {
    return [...this.#views, this.#advanced];
  }

  /** The field or the JSON around an element of the form. */
  #partAround(element) {
    return this.#parts.find((part) => part.contains(element));
  }

  /** What shows the value at a JSON Pointer into the profile data. */
  #partOf(pointer) {
    const found = this.#views.find((fieldView) => {
      const isInside = `${pointer}/`.startsWith(`${fieldView.pointer}/`);
      const isAround = pointer !== "" && fieldView.pointer.startsWith(`${pointer}/`);
      return (isInside || isAround) && !fieldView.isInAdvanced;
    });
    return found ?? this.#advanced;
  }

  #showWhetherChanged() {
    const { isChanged } = this;
    view.unsaved.hidden = !isChanged;
    // Disabled buttons would lose the focus.
    view.saveButton.setAttribute("aria-disabled", !isChanged);
    view.discardButton.setAttribute("aria-disabled", !isChanged);
  }
}

/** The errors of a field, and of the JSON if it has the field's value as well. */
function errorsOf({ field, pointer, problem }, others) {
  const errors = [];
  if (problem !== "") {
    errors.push({ pointer, detail: problem });
  }
  if (valueAt(others, field.path) !== undefined) {
    const name = JSON.stringify(field.path.at(-1));
    errors.push({ pointer: "", detail: `Remove ${name} here: it has its own field above.` });
  }
  return errors;
}

function describeLastSave(profile) {
  if (!profile?.updatedAt) {
    return ""; // a profile of the original example has no time
  }
  const format = { dateStyle: "long", timeStyle: "short" };
  return `Last saved ${new Date(profile.updatedAt).toLocaleString(undefined, format)}`;
}
