// Signing out, and what the page shows if that is not complete.

import { deleteDraft } from "./draft.js";
import { keepNotice, showKeptNotice, showNotice, showProblem } from "./messages.js";
import { showSignedOutPart } from "./page-parts.js";
import { forgetPendingDeletion } from "./pending-deletion.js";

export class SignOut {
  #session;
  #actions;
  #hideUser;

  /**
   * @param {object} parts
   * @param {import("./session.js").Session} parts.session
   * @param {import("./actions.js").Actions} parts.actions
   * @param {function(): void} parts.hideUser remove what belongs to the user from the page
   */
  constructor({ session, actions, hideUser }) {
    this.#session = session;
    this.#actions = actions;
    this.#hideUser = hideUser;
  }

  /** Sign out, and delete what is stored for the user. */
  async signOut() {
    deleteDraft();
    forgetPendingDeletion();
    await this.endSession();
  }

  /** Sign out because the account was deleted, and show a notice after that. */
  async leave(notice) {
    keepNotice(notice);
    await this.signOut();
  }

  /** Sign out. What is stored for the user is kept. */
  async endSession() {
    this.#hideUser();
    showNotice("Signing out…");
    await this.#end(() => this.#session.signOut());
  }

  async #end(action) {
    const isComplete = await action();
    if (isComplete) {
      // The user returned with the browser's Back button. The reload shows the page for a user who
      // is not signed in.
      location.reload();
    } else {
      this.#showIncomplete();
    }
  }

  #showIncomplete() {
    showNotice("");
    showKeptNotice();
    showSignedOutPart();
    const text =
      "You are signed out on this page. The sign-in service could not be reached, so its own " +
      "session may still be open.";
    const finish = () => this.#end(() => this.#session.leaveSignInPage());
    const run = () => this.#actions.run(finish);
    showProblem(text, { action: { label: "Try again", run } });
  }
}
