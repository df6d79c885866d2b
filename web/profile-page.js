// The page for signed-in and for other users: what is visible, the errors, signing in and out.

import { AccountDeletion, incompleteDeletion } from "./account-deletion.js";
import { Actions } from "./actions.js";
import { showAvatar } from "./avatar.js";
import { confirmSigningOut } from "./dialogs.js";
import {
  AccountErasedError,
  IncompleteDeletionError,
  SessionEndedError,
  UnavailableError,
  ValidationError,
} from "./errors.js";
import { clearMessages, showKeptNotice, showNotice, showProblem } from "./messages.js";
import { showMetadata } from "./metadata-view.js";
import {
  buttons,
  hideSignedInParts,
  showAccount,
  showDeletions,
  showSignedOutPart,
} from "./page-parts.js";
import {
  Step,
  forgetPendingDeletion,
  loadPendingDeletion,
  savePendingDeletion,
} from "./pending-deletion.js";
import { describeError } from "./problem-texts.js";
import { ProfileEditor } from "./profile-editor.js";
import { SignOut } from "./sign-out.js";

export class ProfilePage {
  #session;
  #apis;
  #form;
  #isPictureAllowed;
  #user = null;
  #deletion = null;
  #actions = new Actions({
    onBusy: (isBusy) => this.#form.setBusy(isBusy),
    onError: (error, action) => this.#handleError(error, action),
  });
  #signOut;
  #isLeaving = false;
  #hasReadMetadata = false;

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
    this.#signOut = new SignOut({
      session,
      actions: this.#actions,
      hideUser: () => this.#hideUser(),
    });
    buttons.signIn.addEventListener("click", () => this.#signIn());
  }

  /** Show the page to a user who is not signed in. */
  showSignedOut() {
    showSignedOutPart();
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
      await this.#deletion?.continueAfterSignIn();
    }
  }

  #showAccount(editor) {
    showAccount(this.#user.email);
    buttons.signOut.addEventListener("click", () => this.#confirmAndSignOut());
    buttons.deleteProfile.addEventListener("click", () => editor.confirmAndDelete());
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
        signOut: this.#signOut,
      });
      buttons.deleteAccount.addEventListener("click", () => {
        this.#actions.run(() => this.#deletion.start());
      });
    }
    showDeletions(false, this.#deletion !== null);
  }

  /** Show the parts of the page that depend on the saved profile, besides the form. */
  #showProfile(profile) {
    showAvatar(profile?.data ?? {}, this.#user.email, this.#isPictureAllowed);
    showDeletions(profile !== null, this.#deletion !== null);
    if (!this.#hasReadMetadata) {
      this.#hasReadMetadata = true;
      this.#readMetadata();
    }
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
      await this.#signOut.leave("This account was deleted.");
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
      this.#hideUser();
      showSignedOutPart();
      showNotice("Your session has ended.");
    }
  }

  /** Go to the sign-in page. Unsaved edits are kept. */
  #signIn() {
    return this.#actions.run(async () => {
      this.#isLeaving = true;
      try {
        await this.#session.signIn();
      } finally {
        this.#isLeaving = false;
      }
    });
  }

  async #confirmAndSignOut() {
    if (this.#actions.isRunning) {
      return;
    }
    if (!this.#hasUnsavedChanges || (await confirmSigningOut())) {
      await this.#actions.run(() => this.#signOut.signOut());
    }
  }

  /** Remove what belongs to the user from the page. */
  #hideUser() {
    this.#form.show(null);
    this.#form.hide();
    showAvatar({}, "", false);
    showMetadata({});
    hideSignedInParts();
  }
}
