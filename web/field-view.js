// One field of the form: its label, its control, its hint and its error.

import { problemOf } from "./field-checks.js";
import { createControl, createReadOnlyControl, readText, writeText } from "./field-controls.js";
import { textOf, valueOf } from "./field-values.js";
import { pointerOf } from "./paths.js";
import { Kind } from "./schema.js";

const IN_ADVANCED = "This page cannot edit the saved value here. It is under \"Advanced\".";

export class FieldView {
  /** Whether the field cannot show the stored value, so that it is under "Advanced". */
  isInAdvanced = false;

  /** Whether the user can change the value here. */
  isEditable = false;

  #stored;
  #initialText = "";
  #isBusy = false;
  #control;
  #hint = createElement("p", "hint");
  #error = createElement("p", "error");

  /** @param {import("./schema.js").Field} field not a group */
  constructor(field) {
    this.field = field;
    this.pointer = pointerOf(field.path);
    this.element = createElement("div", field.kind === Kind.YES_NO ? "field choice" : "field");
    this.#hint.id = `field${encodeURI(this.pointer)}-hint`;
    this.#error.id = `field${encodeURI(this.pointer)}-error`;
  }

  /** Show the stored value, which is undefined if there is none. */
  show(value) {
    const text = textOf(this.field, value);
    this.#stored = value;
    this.isInAdvanced = text === null;
    const isEditable = !this.isInAdvanced && !this.field.isReadOnly;
    if (!isEditable) {
      this.#control = createReadOnlyControl(value);
    } else if (!this.isEditable) { // otherwise, the control may have the focus
      this.#control = createControl(this.field, () => this.#isBusy);
    }
    this.isEditable = isEditable;
    this.text = text;
    this.#initialText = this.text; // an <input> drops line breaks, a <textarea> changes CR LF
    if (!this.element.contains(this.#control)) {
      this.#arrange();
    }
    this.setError("");
  }

  get text() {
    return readText(this.#control);
  }

  set text(text) {
    if (this.isEditable) {
      writeText(this.#control, text);
    }
  }

  get isChanged() {
    return this.isEditable && (this.text !== this.#initialText || this.#isIncomplete);
  }

  /**
   * The value for the profile data; undefined for none. It is the stored value if the user did not
   * change the text.
   */
  get value() {
    return this.isChanged ? valueOf(this.field, this.text) : this.#stored;
  }

  /** Whether the field has no value, although it is required. */
  get isMissing() {
    const isAsked = this.isEditable && this.field.isRequired && this.problem === "";
    return isAsked && this.value === undefined;
  }

  /** What the user has to correct; "" if nothing is wrong. */
  get problem() {
    if (this.#isIncomplete) {
      return "Enter a complete date.";
    }
    return this.isChanged ? problemOf(this.field, this.text) : "";
  }

  /** @param {string} text "" if there is no error */
  setError(text) {
    this.#error.textContent = text;
    this.#control.setAttribute("aria-invalid", text !== "");
  }

  /** Whether the user cannot change the field for the moment. The control keeps its focus. */
  setBusy(isBusy) {
    this.#isBusy = isBusy;
    if (this.isEditable) {
      this.#control.readOnly = isBusy;
    }
  }

  contains(element) {
    return this.element.contains(element);
  }

  focus() {
    this.#control.focus();
  }

  /** Whether the user typed a part of a date. The control has no text then. */
  get #isIncomplete() {
    return this.isEditable && this.#control.validity.badInput;
  }

  #arrange() {
    const { title, description, isRequired, kind } = this.field;
    const hints = [description, kind === Kind.LIST ? "One per line." : ""];
    if (this.isInAdvanced) {
      hints.push(IN_ADVANCED);
    }
    this.#hint.textContent = hints.filter((hint) => hint !== "").join(" ");
    this.#control.id = `field${encodeURI(this.pointer)}`;
    this.#control.setAttribute("aria-describedby", `${this.#hint.id} ${this.#error.id}`);

    const label = createElement("label");
    label.htmlFor = this.#control.id;
    label.textContent = title;
    if (isRequired && this.isEditable && kind !== Kind.YES_NO) {
      this.#control.setAttribute("aria-required", "true");
      const mark = createElement("span", "required");
      mark.textContent = " (required)";
      label.append(mark);
    }
    if (this.#control.type === "checkbox") {
      label.prepend(this.#control, " ");
      this.element.replaceChildren(label, this.#hint, this.#error);
    } else {
      this.element.replaceChildren(label, this.#hint, this.#control, this.#error);
    }
  }
}

function createElement(name, className = "") {
  const element = document.createElement(name);
  element.className = className;
  return element;
}
