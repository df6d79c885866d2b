// Deleting the account: the confirmation, a new sign-in if the last one is too old, the deletion.

import { askForNewSignIn, confirmAccountDeletion } from "./dialogs.js";
import {
  IncompleteDeletionError,
  InternalError,
  SignInTooOldError,
  UnavailableError,
} from "./errors.js";
import {
  Step,
  forgetPendingDeletion,
  loadPendingDeletion,
  savePendingDeletion,
} from "./pending-deletion.js";
import { describeError } from "./problem-texts.js";

const MAY_BE_INCOMPLETE = "Your account may not be deleted completely.";

export class AccountDeletion {
  #session;
  #api;
  #actions;
  #user;
  #signOut;

  /**
   * @param {object} parts
   * @param {import("./session.js").Session} parts.session
   * @param {import("./account-api.js").AccountApi} parts.api
   * @param {import("./actions.js").Actions} parts.actions
   * @param {{sub: string, email: string}} parts.user the claims of the id token
   * @param {import("./sign-out.js").SignOut} parts.signOut
   */
  constructor({ session, api, actions, user, signOut }) {
    this.#session = session;
    this.#api = api;
    this.#actions = actions;
    this.#user = user;
    this.#signOut = signOut;
  }

  /** The action of the button. */
  async start() {
    const age = await this.#session.secondsSinceSignIn();
    if (age > this.#api.maxSignInAge) {
      await this.#offerNewSignIn();
    } else {
      await this.#confirmAndDelete();
    }
  }

  /** If the user has signed in again to delete the account, ask for the confirmation. */
  async continueAfterSignIn() {
    if (loadPendingDeletion()?.step === Step.SIGNING_IN) {
      forgetPendingDeletion();
      await this.#actions.run(() => this.#confirmAndDelete());
    }
  }

  /** Delete the account, after the user has confirmed it. */
  async delete() {
    savePendingDeletion(this.#user.sub, Step.DELETING);
    try {
      await this.#api.delete();
    } catch (error) {
      if (error instanceof SignInTooOldError) {
        await this.#offerNewSignIn();
        return;
      }
      if (error instanceof UnavailableError || error instanceof InternalError) {
        throw incompleteDeletion(error);
      }
      throw error;
    }
    await this.#signOut.leave("Your account was deleted.");
  }

  async #confirmAndDelete() {
    const isConfirmed = await confirmAccountDeletion(this.#user.email);
    if (isConfirmed) {
      await this.delete();
    }
  }

  /**
   * Let the user sign in again. The page signs out first: otherwise, the sign-in page would send
   * the user back with the old sign-in. Unsaved edits are kept.
   */
  async #offerNewSignIn() {
    const isAccepted = await askForNewSignIn();
    if (isAccepted) {
      savePendingDeletion(this.#user.sub, Step.SIGNING_OUT);
      await this.#signOut.endSession();
    }
  }
}

/**
 * The error of a deletion whose result is not known.
 *
 * @param {Error} [cause]
 * @returns {IncompleteDeletionError}
 */
export function incompleteDeletion(cause) {
  const { text, details } = cause ? describeError(cause) : { text: "", details: "" };
  const message = `${text} ${MAY_BE_INCOMPLETE}`.trim();
  return new IncompleteDeletionError(message, { cause, details });
}
