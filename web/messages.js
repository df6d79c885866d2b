// The messages of the page: problems and notices at the top, the status next to "Save", and whether
// the page is busy.

const KEPT_NOTICE = "notice-after-sign-out";

const view = {
  main: document.querySelector("main"),
  problem: document.querySelector("#problem"),
  notice: document.querySelector("#notice"),
  saveStatus: document.querySelector("#save-status"),
};

/**
 * @typedef {object} Action a button next to a text
 * @property {string} label
 * @property {function(): void} run
 */

/**
 * Show something that the user should know, and that is not a problem.
 *
 * @param {string} text
 * @param {Action} [action]
 */
export function showNotice(text, action) {
  view.notice.replaceChildren(...createMessage(text, action));
}

/**
 * Keep a notice in sessionStorage. The page shows it when the user has been signed out.
 *
 * @param {string} text
 */
export function keepNotice(text) {
  sessionStorage.setItem(KEPT_NOTICE, text);
}

/** Show the notice that `keepNotice` has kept, if any. */
export function showKeptNotice() {
  const text = sessionStorage.getItem(KEPT_NOTICE);
  sessionStorage.removeItem(KEPT_NOTICE);
  if (text !== null) {
    showNotice(text);
  }
}

/**
 * @param {string} text
 * @param {object} [options]
 * @param {string} [options.details] what only support needs
 * @param {Action} [options.action]
 */
export function showProblem(text, { details = "", action } = {}) {
  view.problem.replaceChildren(...createMessage(text, action));
  if (details !== "") {
    view.problem.append(createDetails(details));
  }
}

/** @param {string} text the state of saving: "Saving…", "Saved." or "" */
export function showSaveStatus(text) {
  view.saveStatus.textContent = text;
}

/** @param {boolean} isBusy whether an action is running; for assistive technology */
export function showBusy(isBusy) {
  view.main.ariaBusy = String(isBusy);
}

export function clearMessages() {
  view.problem.replaceChildren();
  view.notice.replaceChildren();
  view.saveStatus.textContent = "";
}

function createMessage(text, action) {
  if (text === "") {
    return [];
  }
  const message = document.createElement("span");
  message.textContent = text;
  return action ? [message, createButton(action)] : [message];
}

function createButton({ label, run }) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.addEventListener("click", () => {
    view.main.focus(); // the action removes the button, which has the focus
    run();
  });
  return button;
}

function createDetails(text) {
  const summary = document.createElement("summary");
  summary.textContent = "Details";
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  const details = document.createElement("details");
  details.append(summary, paragraph);
  return details;
}
