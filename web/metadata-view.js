// What back ends store about the user, for reading: a plan, a role.

import { readableText } from "./field-controls.js";

const view = {
  section: document.querySelector("#metadata"),
  list: document.querySelector("#metadata-list"),
};

/** @param {object} metadata the user's `app_metadata`; {} hides the section */
export function showMetadata(metadata) {
  const entries = Object.entries(metadata);
  view.section.hidden = entries.length === 0;
  view.list.replaceChildren(...entries.flatMap(createEntry));
}

function createEntry([name, value]) {
  const term = document.createElement("dt");
  term.textContent = name.replaceAll("_", " ");
  const description = document.createElement("dd");
  description.textContent = readableText(value);
  return [term, description];
}
