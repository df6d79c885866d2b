// The elements of the form's fields, in their groups.

import { FieldView } from "./field-view.js";
import { Kind } from "./schema.js";

/**
 * @param {import("./schema.js").Field[]} fields
 * @returns {{elements: HTMLElement[], views: FieldView[]}} an element for each field and group, and
 *   the views of all fields, also of those in groups
 */
export function createFields(fields) {
  const elements = [];
  const views = [];
  for (const field of fields) {
    if (field.kind === Kind.GROUP) {
      const members = createFields(field.fields);
      elements.push(createGroup(field, members.elements));
      views.push(...members.views);
    } else {
      const fieldView = new FieldView(field);
      fieldView.show(undefined);
      elements.push(fieldView.element);
      views.push(fieldView);
    }
  }
  return { elements, views };
}

function createGroup({ title, description }, elements) {
  const legend = document.createElement("legend");
  legend.textContent = title;
  const hint = document.createElement("p");
  hint.className = "hint";
  hint.textContent = description;
  const group = document.createElement("fieldset");
  group.append(legend, hint, ...elements);
  return group;
}
