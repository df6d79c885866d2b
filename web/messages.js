// The state of the page as users see it: the messages at the top (a problem, with an optional
// button, and a status), and whether it is busy.

const KEPT_STATUS = "status-after-sign-out";

const view = {
  main: document.querySelector("main"),
  problem: document.querySelector("#problem"),
  status: document.querySelector("#status"),
};

/** @param {string} text */
export function showStatus(text) {
  view.status.textContent = text;
}

/**
 * Keep a status in sessionStorage. The page shows it when the user has been signed out.
 *
 * @param {string} text
 */
export function keepStatus(text) {
  sessionStorage.setItem(KEPT_STATUS, text);
}

/** Show the status that `keepStatus` has kept, if any. */
export function showKeptStatus() {
  const text = sessionStorage.getItem(KEPT_STATUS);
  sessionStorage.removeItem(KEPT_STATUS);
  showStatus(text ?? "");
}

/**
 * @param {string} text
 * @param {{label: string, run: function(): void}} [action] a button next to the text
 */
export function showProblem(text, action) {
  const message = document.createElement("span");
  message.textContent = text;
  view.problem.replaceChildren(message);
  if (action) {
    view.problem.append(createButton(action));
  }
}

/** @param {boolean} isBusy whether an action is running; for assistive technology */
export function showBusy(isBusy) {
  view.main.ariaBusy = String(isBusy);
}

export function clearMessages() {
  view.problem.replaceChildren();
  view.status.textContent = "";
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
