// The dialogs for a profile that was changed or deleted elsewhere while the user edited it.

import { ask } from "./dialogs.js";
import { readableText } from "./field-controls.js";
import { useEdited } from "./merge.js";

const view = {
  conflict: document.querySelector("#conflict"),
  form: document.querySelector("#conflict form"),
  choices: document.querySelector("#choices"),
  deletedElsewhere: document.querySelector("#deleted-elsewhere"),
};

/**
 * Let the user choose a value for each conflict.
 *
 * @param {object} data the merged data, with the saved values. It is changed to the choices.
 * @param {import("./merge.js").Conflict[]} conflicts
 * @param {function(string[]): string} titleOf the title of the field at a path
 * @returns {Promise<boolean>} false to keep editing
 */
export async function resolveConflicts(data, conflicts, titleOf) {
  const choices = conflicts.map((conflict, index) => {
    return createChoice(conflict, `choice-${index}`, titleOf(conflict.path));
  });
  view.choices.replaceChildren(...choices);
  const answer = await ask(view.conflict);
  if (answer !== "save") {
    return false;
  }
  const chosen = new FormData(view.form);
  conflicts.forEach((conflict, index) => {
    if (chosen.get(`choice-${index}`) === "edited") {
      useEdited(data, conflict);
    }
  });
  return true;
}

/**
 * Ask what to do with the edits of a profile that was deleted elsewhere.
 *
 * @returns {Promise<"create"|"discard"|"">} "" to keep editing
 */
export function askAboutDeletedProfile() {
  return ask(view.deletedElsewhere);
}

/** One conflict: the two values, of which the user chooses one, and the value before. */
function createChoice({ base, saved, edited }, name, title) {
  const legend = document.createElement("legend");
  legend.textContent = title;
  const before = document.createElement("p");
  before.className = "hint";
  before.textContent = `Before: ${displayText(base)}`;
  const group = document.createElement("fieldset");
  group.append(
    legend,
    createOption(name, "edited", "Your change", edited),
    createOption(name, "saved", "Saved elsewhere", saved),
    before,
  );
  return group;
}

function createOption(name, version, title, value) {
  const input = document.createElement("input");
  input.type = "radio";
  input.name = name;
  input.value = version;
  input.required = true;
  const heading = document.createElement("strong");
  heading.textContent = `${title}: `;
  const text = document.createElement("span");
  text.className = "value";
  text.textContent = displayText(value);
  const content = document.createElement("span");
  content.append(heading, text);
  const label = document.createElement("label");
  label.className = "choice";
  label.append(input, content);
  return label;
}

function displayText(value) {
  if (value === undefined) {
    return "(not set)";
  }
  return value === "" ? "(empty)" : readableText(value);
}
