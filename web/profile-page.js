// The page for signed-in and for other users: what is visible, the errors, signing in and out.

import { AccountDeletion, incompleteDeletion } from "./account-deletion.js";
import { Actions } from "./actions.js";
import { showAvatar } from "./avatar.js";
import { confirmSigningOut } from "./dialogs.js";
import { deleteDraft } from "./draft.js";
import {
  AccountErasedError,
  IncompleteDeletionError,
  SessionEndedError,
  UnavailableError,
  ValidationError,
} from "./errors.js";
import {
  clearMessages,
  keepNotice,
  showKeptNotice,
  showNotice,
  showProblem,
} from "./messages.js";
import { showMetadata } from "./metadata-view.js";
import {
  Step,
  forgetPendingDeletion,
  loadPendingDeletion,
  savePendingDeletion,
} from "./pending-deletion.js";
import { describeError } from "./problem-texts.js";
import { ProfileEditor } from "./profile-editor.js";

const view = {
  account: document.querySelector("#account"),
  email: document.querySelector("#email"),
  signOutButton: document.querySelector("#sign-out"),
  signedOut: document.querySelector("#signed-out"),
  signInButton: document.querySelector("#sign-in"),
  summary: document.querySelector("#summary"),
  deletions: document.querySelector("#deletions"),
  profileDeletion: document.querySelector("#profile-deletion"),
  deleteProfileButton: document.querySelector("#delete"),
  accountDeletion: document.querySelector("#account-deletion"),
  deleteAccountButton: document.querySelector("#delete-account"),
};

export class ProfilePage {
  #session;
  #apis;
  #form;
  #isPictureAllowed;
  #user = null;
  #deletion = null;
  #isLeaving = false;
  #actions = new Actions({
    onBusy: (isBusy) => this.#form.setBusy(isBusy),
    onError: (error, action) => this.#handleError(error, action),
  });

  /**
   * @param {object} parts
   * @param {import("./session.js").Session} parts.session
   * @param {object} parts.apis
   * @param {import("./profile-api.js").ProfileApi} parts.apis.profile
   * @param {import("./metadata-api.js").MetadataApi} parts.apis.metadata
   * @param {?import("./account-api.js").AccountApi} parts.apis.account null if users cannot delete
   *   their account
   * @param {import("./profile-form.js").ProfileForm} parts.form
   * @param {boolean} parts.isPictureAllowed whether the page may load the profile's picture
   */
  constructor({ session, apis, form, isPictureAllowed }) {
    this.#session = session;
    this.#apis = apis;
    this.#form = form;
    this.#isPictureAllowed = isPictureAllowed;
    view.signInButton.addEventListener("click", () => this.#signIn());
  }

  /** Show the page to a user who is not signed in. */
  showSignedOut() {
    view.signedOut.hidden = false;
    const deletion = loadPendingDeletion();
    if (deletion?.step === Step.SIGNING_OUT) {
      // Once only: a user who comes back from the sign-in page stays here.
      savePendingDeletion(deletion.sub, Step.SIGNING_IN);
      this.#actions.run(() => this.#session.signInAgain());
    } else {
      showKeptNotice();
    }
  }

  /**
   * Show the page to a signed-in user, with their profile or their unsaved edits.
   *
   * @param {{sub: string, email: string}} user the claims of the id token
   */
  async showSignedIn(user) {
    this.#user = user;
    if (loadPendingDeletion()?.sub !== user.sub) {
      forgetPendingDeletion();
    }
    const editor = new ProfileEditor({
      api: this.#apis.profile,
      form: this.#form,
      actions: this.#actions,
      sub: user.sub,
      onShow: (profile) => this.#showProfile(profile),
    });
    this.#showAccount(editor);
    await editor.start();
    if (this.#form.isVisible) { // otherwise, a problem is shown
      this.#readMetadata();
      await this.#deletion?.continueAfterSignIn();
    }
  }

  #showAccount(editor) {
    view.email.textContent = this.#user.email;
    view.account.hidden = false;
    view.signOutButton.addEventListener("click", () => this.#confirmAndSignOut());
    view.deleteProfileButton.addEventListener("click", () => editor.confirmAndDelete());
    addEventListener("beforeunload", (event) => {
      if (this.#hasUnsavedChanges && !this.#isLeaving) {
        event.preventDefault(); // the browser asks whether to leave
      }
    });
    if (this.#apis.account !== null) {
      this.#deletion = new AccountDeletion({
        session: this.#session,
        api: this.#apis.account,
        actions: this.#actions,
        user: this.#user,
        signOut: {
          leave: (notice) => this.#leave(notice),
          endSession: () => this.#endSession(),
        },
      });
      view.deleteAccountButton.addEventListener("click", () => {
        this.#actions.run(() => this.#deletion.start());
      });
    }
    this.#showDeletions(null);
  }

  /** Show the parts of the page that depend on the saved profile, besides the form. */
  #showProfile(profile) {
    view.summary.hidden = profile === null;
    showAvatar(profile?.data ?? {}, this.#user.email, this.#isPictureAllowed);
    this.#showDeletions(profile);
  }

  #showDeletions(profile) {
    view.profileDeletion.hidden = profile === null;
    view.accountDeletion.hidden = this.#deletion === null;
    view.deletions.hidden = view.profileDeletion.hidden && view.accountDeletion.hidden;
  }

  /** The metadata is an addition: the page works without it. */
  async #readMetadata() {
    try {
      showMetadata(await this.#apis.metadata.read());
    } catch {
      showMetadata({});
    }
  }

  get #hasUnsavedChanges() {
    return this.#form.isVisible && this.#form.isChanged;
  }

  async #handleError(error, action) {
    if (!(error instanceof AccountErasedError)) {
      await this.#showError(error, action);
    } else if (loadPendingDeletion() === null) {
      await this.#leave("This account was deleted.");
    } else {
      // The deletion began in this tab, and may have stopped after its first step.
      await this.#showError(incompleteDeletion(), action);
    }
  }

  async #showError(error, action) {
    clearMessages();
    if (error instanceof ValidationError) {
      this.#form.showErrors(error.errors);
    } else if (error instanceof SessionEndedError) {
      await this.#showSessionEnded();
    } else {
      this.#showProblem(error, action);
    }
  }

  #showProblem(error, action) {
    const { text, details } = describeError(error);
    const note = this.#hasUnsavedChanges ? " Your changes are kept." : "";
    if (error instanceof IncompleteDeletionError) {
      const retry = { label: "Try again", run: () => this.#retryDeletion() };
      showProblem(text, { details, action: retry });
    } else if (error instanceof UnavailableError) {
      const retry = { label: "Try again", run: () => this.#actions.run(action) };
      showProblem(`${text}${note}`, { details, action: retry });
    } else {
      showProblem(`${text}${note}`, { details });
    }
  }

  #retryDeletion() {
    return this.#actions.run(() => this.#deletion.delete());
  }

  async #showSessionEnded() {
    const signIn = { label: "Sign in again", run: () => this.#signIn() };
    if (this.#hasUnsavedChanges) {
      showNotice("Your session has ended. Sign in again to save your changes.", signIn);
    } else if (this.#form.isVisible) {
      showNotice("Your session has ended. Sign in again to continue.", signIn);
    } else {
      await this.#session.forget();
      this.#hideSignedIn();
      view.signedOut.hidden = false;
      showNotice("Your session has ended.");
    }
  }

  /** Go to the sign-in page. Unsaved edits are kept. */
  #signIn() {
    return this.#actions.run(() => this.#leaving(() => this.#session.signIn()));
  }

  async #confirmAndSignOut() {
    if (!this.#hasUnsavedChanges || (await confirmSigningOut())) {
      await this.#actions.run(() => this.#signOut());
    }
  }

  async #signOut() {
    deleteDraft();
    forgetPendingDeletion();
    await this.#endSession();
  }

  /** Sign out because the account was deleted, and show a notice after that. */
  async #leave(notice) {
    keepNotice(notice);
    await this.#signOut();
  }

  async #endSession() {
    this.#hideSignedIn();
    const isComplete = await this.#leaving(() => this.#session.signOut());
    if (isComplete) {
      // The user returned with the browser's Back button. The reload shows the page for a user who
      // is not signed in.
      location.reload();
    } else {
      this.#showSignOutIncomplete();
    }
  }

  #showSignOutIncomplete() {
    view.signedOut.hidden = false;
    showKeptNotice();
    const text =
      "You are signed out on this page. The sign-in service could not be reached, so its own " +
      "session may still be open.";
    const run = () => this.#actions.run(() => this.#leaveSignInPage());
    showProblem(text, { action: { label: "Try again", run } });
  }

  async #leaveSignInPage() {
    const isComplete = await this.#session.leaveSignInPage();
    if (isComplete) {
      location.reload();
    } else {
      this.#showSignOutIncomplete();
    }
  }

  /** Hide and remove what belongs to the user. */
  #hideSignedIn() {
    this.#form.show(null);
    this.#form.hide();
    showMetadata({});
    view.account.hidden = true;
    view.deletions.hidden = true;
  }

  /** Run an action that leaves the page. The browser does not ask about unsaved changes. */
  async #leaving(action) {
    this.#isLeaving = true;
    try {
      return await action();
    } finally {
      this.#isLeaving = false;
    }
  }
}
