// Loading, editing, saving and deleting the profile.

import { askAboutDeletedProfile, resolveConflicts } from "./conflict-dialog.js";
import { confirmDeletion, confirmDiscarding } from "./dialogs.js";
import { deleteDraft, loadDraft, saveDraft } from "./draft.js";
import { ConflictError, UnavailableError } from "./errors.js";
import { isEqual } from "./json.js";
import { mergeChanges } from "./merge.js";
import { showNotice, showProblem, showSaveStatus } from "./messages.js";

/** How often changes of other clients are merged without asking, before one save gives up. */
const MAX_MERGES = 3;

const view = {
  skeleton: document.querySelector("#skeleton"),
};

export class ProfileEditor {
  #api;
  #form;
  #actions;
  #sub;
  #onShow;

  /**
   * @param {object} parts
   * @param {import("./profile-api.js").ProfileApi} parts.api
   * @param {import("./profile-form.js").ProfileForm} parts.form
   * @param {import("./actions.js").Actions} parts.actions
   * @param {string} parts.sub the signed-in user
   * @param {function(?import("./profile-api.js").Profile): void} parts.onShow called with the saved
   *   profile whenever the form shows it
   */
  constructor({ api, form, actions, sub, onShow }) {
    this.#api = api;
    this.#form = form;
    this.#actions = actions;
    this.#sub = sub;
    this.#onShow = onShow;
    form.setHandlers({
      onEdit: () => this.#keepDraft(),
      onSave: () => actions.run(() => this.#save()),
      onDiscard: () => this.#confirmAndDiscard(),
    });
  }

  /** Show the profile, or the user's unsaved edits of it. */
  async start() {
    const draft = loadDraft(this.#sub);
    if (draft === null) {
      await this.#actions.run(() => this.load());
    } else {
      this.#form.restore(draft.base, draft.texts);
      this.#onShow(draft.base);
      showNotice("Your unsaved changes are still here. Save them, or discard them.");
    }
  }

  /** Show the saved profile. Deletes unsaved edits. */
  async load() {
    view.skeleton.hidden = this.#form.isVisible;
    try {
      this.#show(await this.#api.read());
    } finally {
      view.skeleton.hidden = true;
    }
  }

  async confirmAndDelete() {
    if (!this.#actions.isRunning && (await confirmDeletion())) {
      await this.#actions.run(() => this.#delete());
    }
  }

  /** Show a saved profile, or the empty form for null. Deletes unsaved edits. */
  #show(profile) {
    this.#form.show(profile);
    deleteDraft();
    this.#onShow(profile);
  }

  #keepDraft() {
    showSaveStatus("");
    saveDraft({ sub: this.#sub, base: this.#form.base, texts: this.#form.texts() });
  }

  async #confirmAndDiscard() {
    if (!this.#actions.isRunning && (await confirmDiscarding())) {
      await this.#actions.run(() => this.load());
    }
  }

  async #save() {
    this.#form.clearErrors();
    const edited = this.#form.data();
    this.#form.setSaving(true);
    try {
      await this.#saveMerged(edited);
    } finally {
      this.#form.setSaving(false);
    }
  }

  /** Save data, merged with what other clients have saved since the form was filled. */
  async #saveMerged(edited) {
    let base = this.#form.base;
    let data = edited;
    for (let merges = 0; ; merges += 1) {
      showSaveStatus("Saving…");
      try {
        const saved = await this.#api.save(base, data);
        const isMerged = merges > 0 && base !== null; // a deletion elsewhere adds nothing
        this.#showSaved(saved, isMerged);
        return;
      } catch (error) {
        if (!(error instanceof ConflictError)) {
          throw error;
        }
      }
      const saved = await this.#api.read();
      if (saved !== null && isEqual(saved.data, data)) {
        this.#showSaved(saved, false); // our own request succeeded, but its response was lost
        return;
      }
      if (merges === MAX_MERGES) {
        throw new UnavailableError("Your profile keeps changing elsewhere. Try again in a moment.");
      }
      const merged = await this.#merge(base, saved, data);
      if (merged === null) {
        return;
      }
      base = saved;
      data = merged;
    }
  }

  /**
   * The edits on top of the saved profile. The user decides where both changed the same value.
   *
   * @returns {Promise<?object>} null if the user does not want to save now
   */
  async #merge(base, saved, edited) {
    if (saved === null && base !== null) {
      return this.#mergeWithDeletion(edited);
    }
    const { data, conflicts } = mergeChanges(base?.data ?? {}, saved?.data ?? {}, edited);
    if (conflicts.length === 0) {
      return data;
    }
    showSaveStatus("");
    const titleOf = (path) => this.#form.titleOf(path);
    const isResolved = await resolveConflicts(data, conflicts, titleOf);
    return isResolved ? data : null;
  }

  async #mergeWithDeletion(edited) {
    showSaveStatus("");
    const answer = await askAboutDeletedProfile();
    if (answer === "discard") {
      this.#show(null);
      showNotice("Your changes were discarded.");
    }
    return answer === "create" ? edited : null;
  }

  /** @param {boolean} isMerged whether the profile has changes of other clients */
  #showSaved(profile, isMerged) {
    this.#show(profile);
    showSaveStatus("Saved.");
    if (isMerged) {
      showNotice("Changes that were made elsewhere are included.");
    }
  }

  async #delete() {
    try {
      await this.#api.delete(this.#form.base);
    } catch (error) {
      if (!(error instanceof ConflictError)) {
        throw error;
      }
      const isDeleted = await this.#resolveDeletionConflict();
      if (!isDeleted) {
        return;
      }
    }
    this.#show(null);
    showNotice("Profile deleted.");
    this.#form.focus(); // the button that had the focus is hidden now
  }

  /** Returns whether the profile is deleted. */
  async #resolveDeletionConflict() {
    const saved = await this.#api.read();
    if (saved === null) {
      return true; // deleted elsewhere, or by our own earlier request whose response was lost
    }
    if (isEqual(saved.data, this.#form.base.data)) {
      // It was saved again without a change. This is not repeated: another conflict is shown.
      await this.#api.delete(saved);
      return true;
    }
    const action = { label: "Show the saved version", run: () => this.#confirmAndShowSaved() };
    showProblem(
      "The profile was not deleted, because it was changed in another tab or on another device " +
      "after you opened it here.",
      { action },
    );
    return false;
  }

  async #confirmAndShowSaved() {
    if (!this.#form.isChanged || (await confirmDiscarding())) {
      await this.#actions.run(() => this.load());
    }
  }
}
