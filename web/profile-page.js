// The actions of the page: what each button does, and how errors are shown.

import {
  askForNewSignIn,
  askWhichVersion,
  confirmAccountDeletion,
  confirmDeletion,
} from "./dialogs.js";
import { deleteDraft, loadDraft, saveDraft } from "./draft.js";
import {
  AccountErasedError,
  ConflictError,
  IncompleteDeletionError,
  InternalError,
  SessionEndedError,
  SignInTooOldError,
  UnavailableError,
  ValidationError,
} from "./errors.js";
import { isEqual } from "./json.js";
import {
  clearMessages,
  keepStatus,
  showBusy,
  showKeptStatus,
  showProblem,
  showStatus,
} from "./messages.js";
import {
  Step,
  forgetPendingDeletion,
  loadPendingDeletion,
  savePendingDeletion,
} from "./pending-deletion.js";
import { ProfileForm } from "./profile-form.js";

const view = {
  account: document.querySelector("#account"),
  email: document.querySelector("#email"),
  signOutButton: document.querySelector("#sign-out"),
  signedOut: document.querySelector("#signed-out"),
  signInButton: document.querySelector("#sign-in"),
  yourAccount: document.querySelector("#your-account"),
  deleteAccountButton: document.querySelector("#delete-account"),
};

const MAY_BE_INCOMPLETE = "Your account may not be deleted completely.";

export class ProfilePage {
  #session;
  #api;
  #accountApi;
  #user = null;
  #form = new ProfileForm();
  #isBusy = false;

  /**
   * @param {import("./session.js").Session} session
   * @param {import("./profile-api.js").ProfileApi} api
   * @param {?import("./account-api.js").AccountApi} accountApi null if users cannot delete their
   *   account
   */
  constructor(session, api, accountApi) {
    this.#session = session;
    this.#api = api;
    this.#accountApi = accountApi;
  }

  /** Show the page to a user who is not signed in. */
  showSignedOut() {
    view.signInButton.addEventListener("click", () => this.#signIn());
    view.signedOut.hidden = false;
    const deletion = loadPendingDeletion();
    if (deletion?.step === Step.SIGNING_OUT) {
      // Once only: a user who comes back from the sign-in page stays here.
      savePendingDeletion(deletion.sub, Step.SIGNING_IN);
      this.#run(() => this.#session.signInAgain());
    } else {
      showKeptStatus();
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
    view.signOutButton.addEventListener("click", () => this.#run(() => this.#signOut()));
    this.#form.setHandlers({
      onEdit: () => this.#keepDraft(user.sub),
      onSave: () => this.#run(() => this.#save()),
      onDiscard: () => this.#run(() => this.#load()),
      onDelete: () => this.#confirmAndDelete(),
    });
    view.email.textContent = user.email;
    view.account.hidden = false;
    if (this.#accountApi !== null) {
      view.deleteAccountButton.addEventListener("click", () => {
        this.#run(() => this.#startAccountDeletion());
      });
      view.yourAccount.hidden = false;
    }

    await this.#showProfile();
    await this.#continueAccountDeletion();
  }

  async #showProfile() {
    const draft = loadDraft(this.#user.sub);
    if (draft === null) {
      await this.#run(() => this.#load());
    } else {
      this.#form.restore(draft.base, draft.texts);
      showStatus("Your unsaved changes were restored.");
    }
  }

  /**
   * Run an action and show its error, if any. Only one action runs at a time. The form is read-only
   * during an action, because the result may overwrite the fields.
   */
  async #run(action) {
    if (this.#isBusy) {
      return;
    }
    this.#setBusy(true);
    clearMessages();
    this.#form.clearErrors();
    try {
      await action();
    } catch (error) {
      await this.#handleError(error, action);
    } finally {
      this.#setBusy(false);
    }
  }

  #setBusy(isBusy) {
    this.#isBusy = isBusy;
    showBusy(isBusy);
    this.#form.setReadOnly(isBusy);
  }

  async #handleError(error, action) {
    if (!(error instanceof AccountErasedError)) {
      this.#showError(error, action);
    } else if (loadPendingDeletion() === null) {
      await this.#leave("This account was deleted.");
    } else {
      // The deletion began in this tab, and may have stopped after its first step.
      const incomplete = new IncompleteDeletionError(MAY_BE_INCOMPLETE, { cause: error });
      this.#showError(incomplete, action);
    }
  }

  #showError(error, action) {
    clearMessages();
    const note = this.#form.isVisible ? " Your changes are kept." : "";
    if (error instanceof ValidationError) {
      this.#form.showErrors(error.errors);
    } else if (error instanceof SessionEndedError) {
      const signIn = { label: "Sign in again", run: () => this.#signIn() };
      showProblem(`Your session has expired.${note}`, signIn);
    } else if (error instanceof IncompleteDeletionError) {
      const retry = { label: "Try again", run: () => this.#run(() => this.#deleteAccount()) };
      showProblem(error.message, retry);
    } else if (error instanceof UnavailableError) {
      const retry = { label: "Try again", run: () => this.#run(action) };
      showProblem(`${error.message}${note}`, retry);
    } else {
      showProblem(error.message);
    }
  }

  #keepDraft(sub) {
    saveDraft({ sub, base: this.#form.base, texts: this.#form.texts() });
  }

  /** Show a saved profile, or the empty form for null. Deletes unsaved edits. */
  #show(profile, status) {
    this.#form.show(profile);
    deleteDraft();
    showStatus(status);
  }

  #signIn() {
    return this.#run(() => this.#session.signIn());
  }

  async #signOut() {
    deleteDraft();
    forgetPendingDeletion();
    await this.#endSession();
  }

  /** Sign out because the account was deleted, and show a status after that. */
  async #leave(status) {
    keepStatus(status);
    await this.#signOut();
  }

  async #endSession() {
    this.#form.hide();
    view.yourAccount.hidden = true;
    await this.#session.signOut();
    // This runs if the user returns with the browser's Back button. The reload shows the page for a
    // user who is not signed in.
    location.reload();
  }

  async #load() {
    if (!this.#form.isVisible) {
      showStatus("Loading your profile…");
    }
    const profile = await this.#api.read();
    this.#show(profile, "");
  }

  async #save() {
    const edited = this.#form.data();
    let saved;
    try {
      saved = await this.#api.save(this.#form.base, edited);
    } catch (error) {
      if (!(error instanceof ConflictError)) {
        throw error;
      }
      await this.#resolveConflict(edited);
      return;
    }
    this.#show(saved, "Saved.");
  }

  async #resolveConflict(edited) {
    const saved = await this.#api.read();
    if (saved !== null && isEqual(saved.data, edited)) {
      // Our own earlier request succeeded, but its response was lost.
      this.#show(saved, "Saved.");
      return;
    }
    const version = await askWhichVersion(saved, edited);
    if (version === "saved") {
      this.#show(saved, "Your changes were discarded.");
    } else if (version === "edited") {
      this.#form.base = saved;
      await this.#save();
    }
  }

  async #confirmAndDelete() {
    if (this.#isBusy) {
      return;
    }
    const isConfirmed = await confirmDeletion();
    if (isConfirmed) {
      this.#run(() => this.#delete());
    }
  }

  async #delete() {
    try {
      await this.#api.delete(this.#form.base);
    } catch (error) {
      if (!(error instanceof ConflictError)) {
        throw error;
      }
      await this.#resolveDeletionConflict();
    }
    this.#showDeleted();
  }

  async #resolveDeletionConflict() {
    const saved = await this.#api.read();
    if (saved === null) {
      return; // deleted elsewhere, or by our own earlier request whose response was lost
    }
    if (!isEqual(saved.data, this.#form.base.data)) {
      throw new Error(
        "The profile was not deleted, because it was saved in another tab or on another device " +
        "after you opened it here. Press \"Discard changes\" to see the saved version.",
      );
    }
    // It was saved again without a change. This is not repeated: another conflict is shown.
    this.#form.base = saved;
    await this.#api.delete(saved);
  }

  #showDeleted() {
    this.#show(null, "Profile deleted.");
    this.#form.focus(); // the button that had the focus is hidden now
  }

  /** If the user has signed in again to delete the account, ask for the confirmation. */
  async #continueAccountDeletion() {
    const isSignedInAgain = loadPendingDeletion()?.step === Step.SIGNING_IN;
    if (isSignedInAgain && this.#form.isVisible) { // otherwise, a problem is shown
      forgetPendingDeletion();
      await this.#run(() => this.#confirmAndDeleteAccount());
    }
  }

  async #startAccountDeletion() {
    const age = await this.#session.secondsSinceSignIn();
    if (age > this.#accountApi.maxSignInAge) {
      await this.#offerNewSignIn();
    } else {
      await this.#confirmAndDeleteAccount();
    }
  }

  async #confirmAndDeleteAccount() {
    const isConfirmed = await confirmAccountDeletion(this.#user.email);
    if (isConfirmed) {
      await this.#deleteAccount();
    }
  }

  async #deleteAccount() {
    savePendingDeletion(this.#user.sub, Step.DELETING);
    try {
      await this.#accountApi.delete();
    } catch (error) {
      if (error instanceof SignInTooOldError) {
        await this.#offerNewSignIn();
        return;
      }
      if (error instanceof UnavailableError || error instanceof InternalError) {
        const message = `${error.message} ${MAY_BE_INCOMPLETE}`;
        throw new IncompleteDeletionError(message, { cause: error });
      }
      throw error;
    }
    await this.#leave("Your account was deleted.");
  }

  /**
   * Let the user sign in again. The page signs out first: otherwise, the sign-in page would send the
   * user back with the old sign-in. Unsaved edits are kept.
   */
  async #offerNewSignIn() {
    const isAccepted = await askForNewSignIn();
    if (isAccepted) {
      savePendingDeletion(this.#user.sub, Step.SIGNING_OUT);
      await this.#endSession();
    }
  }
}
