// "Advanced": the profile data that no field of the form shows, as JSON.

import { ValidationError } from "./errors.js";
import { duplicateName, isObject, parse } from "./json.js";

const view = {
  details: document.querySelector("#advanced"),
  input: document.querySelector("#other"),
  error: document.querySelector("#other-error"),
};

export class Advanced {
  #initialText = "";
  #isAlone;

  /** @param {boolean} isAlone whether the form has no other field */
  constructor(isAlone) {
    this.#isAlone = isAlone;
  }

  /** @param {object} data */
  show(data) {
    view.input.value = JSON.stringify(data, null, 2);
    this.#initialText = view.input.value;
    view.details.open = this.#isAlone;
    this.setError("");
  }

  get text() {
    return view.input.value;
  }

  set text(text) {
    view.input.value = text;
    view.details.open = this.isChanged;
  }

  get isChanged() {
    return view.input.value !== this.#initialText;
  }

  /**
   * The data in the text.
   *
   * @returns {object}
   * @throws {ValidationError}
   */
  data() {
    // trim() also removes white space that is not allowed in JSON, such as a pasted no-break space.
    const text = view.input.value.trim();
    if (text === "") {
      return {};
    }
    let value;
    try {
      value = parse(text);
    } catch (error) {
      throw invalid(`This is not valid JSON: ${error.message}`);
    }
    if (!isObject(value)) {
      throw invalid('This must be a JSON object, for example {"city": "London"}.');
    }
    const name = duplicateName(text);
    if (name !== null) {
      throw invalid(`The name ${JSON.stringify(name)} occurs twice. Remove one of them.`);
    }
    return value;
  }

  /** @param {string} text "" if there is no error */
  setError(text) {
    view.error.textContent = text;
    view.input.setAttribute("aria-invalid", text !== "");
    if (text !== "") {
      view.details.open = true;
    }
  }

  setBusy(isBusy) {
    view.input.readOnly = isBusy;
  }

  contains(element) {
    return element === view.input;
  }

  focus() {
    view.input.focus();
  }
}

function invalid(detail) {
  return new ValidationError([{ pointer: "", detail }]);
}
