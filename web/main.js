// The page: what is shown, and what happens when somebody presses a button.

import { Invalid, isObject, parse, same } from "./json.js";
import { ProfileApi, Unavailable } from "./profile.js";
import { Session, SessionOver } from "./session.js";

const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const FIELDS = ["name", "bio", "more"];
const DRAFT = "draft"; // in sessionStorage: what is typed and not saved yet, through a reload or another sign-in

let session, api;
let user; // the id token's claims
let stored; // {data, etag, updatedAt} as last seen; null: there is no profile

// --- what is shown ---------------------------------------------------------------------------------------------------

/** Tell of a problem, with a button for what may help. */
function complain(text, button, act) {
  const message = document.createElement("span");
  message.textContent = text;
  page.problem.replaceChildren(message);
  if (button) {
    const element = document.createElement("button");
    element.type = "button";
    element.textContent = button;
    element.addEventListener("click", () => {
      page.main.focus(); // the button will be gone
      act();
    });
    page.problem.append(element);
  }
}

function clearMessages() {
  page.problem.replaceChildren();
  page.status.textContent = "";
  markFaults([]);
}

/** Show each fault beside the field that its pointer leads to, and go to the first. */
function markFaults(errors) {
  const texts = { name: [], bio: [], more: [] };
  for (const { pointer, detail } of errors) {
    const field = FIELDS.find((name) => pointer === `/${name}`) ?? "more";
    texts[field].push(field === "more" && pointer ? `${pointer}: ${detail}` : detail);
  }
  for (const field of FIELDS) {
    page[`${field}-error`].textContent = texts[field].join("\n");
    page[field].setAttribute("aria-invalid", texts[field].length > 0);
  }
  page[FIELDS.find((field) => texts[field].length)]?.focus();
}

/** Fill the form with a profile, or leave it empty if there is none. */
function show(profile, message = "") {
  stored = profile;
  sessionStorage.removeItem(DRAFT);
  const { name, bio, ...rest } = profile?.data ?? {};
  const more = Object.entries(rest);
  for (const [field, value] of Object.entries({ name, bio })) {
    page[field].value = typeof value === "string" ? value : "";
    // A name that is not a text, which other clients may store, is left among the rest.
    if (value !== undefined && typeof value !== "string") more.push([field, value]);
  }
  page.more.value = JSON.stringify(Object.fromEntries(more), null, 2);
  showForm();
  page.status.textContent = message;
}

function showForm() {
  page.saved.textContent = stored ? lastSaved(stored.updatedAt) : "Nothing is saved yet.";
  page.delete.hidden = !stored;
  page.profile.hidden = false;
}

function lastSaved(time) {
  if (!time) return ""; // the original example's items have none
  return `Last saved ${new Date(time).toLocaleString(undefined, { dateStyle: "long", timeStyle: "short" })}`;
}

/** The profile data that the form holds. Throws Invalid. */
function edited() {
  let more;
  try {
    more = parse(page.more.value.trim() || "{}");
  } catch (error) {
    throw new Invalid([{ pointer: "", detail: `This is not JSON: ${error.message}` }]);
  }
  if (!isObject(more)) throw new Invalid([{ pointer: "", detail: "This must be a JSON object: {...}" }]);
  const texts = ["name", "bio"].map((field) => [field, textOf(field)]);
  for (const [field] of texts.filter(([field]) => typeof more[field] === "string")) {
    throw new Invalid([{ pointer: "", detail: `The ${field} has a field of its own above.` }]);
  }
  // An empty field says that there is nothing, unless an empty text is what is stored.
  const given = texts.filter(([field, text]) => text || (stored?.data[field] === "" && !(field in more)));
  return { ...more, ...Object.fromEntries(given) };
}

/** What a field says. A field shows no line break as it is; who has not touched it has not changed it. */
function textOf(field) {
  const was = stored?.data[field];
  if (typeof was !== "string") return page[field].value;
  const shown = page[field].cloneNode();
  shown.value = was;
  return shown.value === page[field].value ? was : page[field].value;
}

// --- what is done ----------------------------------------------------------------------------------------------------

/** Do something that may go wrong, one at a time, and tell what went wrong. What is typed stays, whatever happens. */
async function attempt(action) {
  if (page.main.ariaBusy === "true") return;
  busy(true);
  clearMessages();
  try {
    await action();
  } catch (error) {
    const kept = page.profile.hidden ? "" : " What you typed is kept.";
    if (error instanceof Invalid) markFaults(error.errors);
    else if (error instanceof SessionOver) complain(`Your session is over.${kept}`, "Sign in again", signIn);
    else if (error instanceof Unavailable) complain(`${error.message}${kept}`, "Try again", () => attempt(action));
    else complain(error.message);
  } finally {
    busy(false);
  }
}

/** While something is under way nothing can be typed that its end would overwrite. */
function busy(now) {
  page.main.ariaBusy = String(now);
  for (const field of FIELDS) page[field].readOnly = now;
}

const signIn = () => attempt(() => session.signIn());

async function load() {
  show(await api.read());
}

async function save() {
  const mine = edited();
  try {
    show(await api.save(stored, mine), "Saved.");
  } catch (error) {
    if (error.status !== 412) throw error;
    await settle(mine);
  }
}

/** The profile is not what the form began with: show both and let the user choose. */
async function settle(mine) {
  const theirs = await api.read();
  if (theirs && same(theirs.data, mine)) return show(theirs, "Saved."); // our own, whose answer was lost on its way
  const choice = await askAbout(theirs, mine);
  if (choice === "stored") show(theirs, "This is what is stored.");
  if (choice === "mine") {
    stored = theirs;
    await save();
  }
}

function askAbout(theirs, mine) {
  const both = [theirs?.data ?? {}, mine].map((data) => new Map(Object.entries(data)));
  const names = new Set(both.flatMap((data) => [...data.keys()]));
  const rows = [...names].filter((name) => !same(both[0].get(name), both[1].get(name)));
  page.differences.replaceChildren(...rows.map((name) => {
    const row = document.createElement("tr");
    const title = document.createElement("th");
    title.scope = "row";
    title.textContent = name;
    row.append(title);
    for (const value of both.map((data) => data.get(name))) {
      const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
      row.insertCell().textContent = text ?? "(not there)";
    }
    return row;
  }));
  page["conflict-text"].textContent = theirs
    ? "The profile was saved somewhere else since you opened it here. Which one do you want to keep? This differs:"
    : "The profile was deleted somewhere else since you opened it here. This is yours:";
  return ask(page.conflict);
}

async function remove() {
  try {
    await api.remove(stored);
  } catch (error) {
    if (error.status !== 412) throw error;
    const theirs = await api.read();
    if (theirs && !same(theirs.data, stored.data)) {
      throw new Error("The profile was saved somewhere else since you opened it here, so it was not deleted. Look at it " +
        "first: \"Discard changes\" shows it.");
    }
    if (theirs) { // saved once more, as it was
      stored = theirs;
      return remove();
    }
  }
  show(null, "Deleted.");
  page.name.focus(); // the button that was pressed is gone
}

/** Show a dialog; the value of the button that closed it, "" for Escape. */
function ask(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

// --- what is typed is kept -------------------------------------------------------------------------------------------

function keepDraft() {
  const typed = Object.fromEntries(FIELDS.map((field) => [field, page[field].value]));
  sessionStorage.setItem(DRAFT, JSON.stringify({ sub: user.sub, stored, typed }));
}

/** Put back what this user had typed and not saved; false if there is nothing. */
function restoreDraft() {
  const draft = parse(sessionStorage.getItem(DRAFT) ?? "null");
  if (draft?.sub !== user.sub) return false;
  stored = draft.stored;
  for (const field of FIELDS) page[field].value = draft.typed[field];
  showForm();
  page.status.textContent = "What you typed and did not save is here again.";
  return true;
}

// --- the beginning ---------------------------------------------------------------------------------------------------

async function settings() {
  const response = await fetch("config.json");
  if (!response.ok) throw new Error("There is no config.json: `make local` or `make web-config STAGE=...` writes it.");
  return response.json();
}

async function start() {
  if (!JSON.rawJSON) return complain("This page needs a browser of 2025 or newer: older ones cannot keep numbers exact.");
  try {
    const config = await settings();
    session = new Session(config);
    api = new ProfileApi(config.api, session);
  } catch (error) {
    return complain(error.message);
  }
  try {
    user = await session.start();
  } catch (error) {
    complain(`You are not signed in: ${error.message}`);
  }
  page.who.hidden = !user;
  page["signed-out"].hidden = Boolean(user);
  if (!user) return;
  page.email.textContent = user.email;
  if (!restoreDraft()) await attempt(load);
}

page["sign-in"].addEventListener("click", signIn);
page["sign-out"].addEventListener("click", () => attempt(async () => {
  sessionStorage.removeItem(DRAFT);
  page.profile.hidden = true;
  await session.signOut();
  location.reload(); // we are here again by the browser's "back", where nothing of the user may be seen any more
}));
page.profile.addEventListener("input", keepDraft);
page.profile.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(save);
});
page.discard.addEventListener("click", () => attempt(load));
page.delete.addEventListener("click", async () => {
  if (page.main.ariaBusy !== "true" && await ask(page["confirm-delete"]) === "delete") attempt(remove);
});

await start();
