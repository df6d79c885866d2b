// Runs the actions of buttons, one at a time.

import { clearMessages, showBusy } from "./messages.js";

export class Actions {
  #isRunning = false;
  #onBusy;
  #onError;

  /**
   * @param {object} handlers
   * @param {function(boolean): void} handlers.onBusy called when an action begins and ends
   * @param {function(Error, function(): Promise<void>): Promise<void>} handlers.onError called with
   *   an error, and the action that has thrown it
   */
  constructor({ onBusy, onError }) {
    this.#onBusy = onBusy;
    this.#onError = onError;
  }

  /** Whether an action runs. A question that leads to another action waits for its end. */
  get isRunning() {
    return this.#isRunning;
  }

  /**
   * Run an action and show its error, if any. It does nothing while another action runs.
   *
   * @param {function(): Promise<void>} action
   */
  async run(action) {
    if (this.#isRunning) {
      return;
    }
    this.#setRunning(true);
    clearMessages();
    try {
      await action();
    } catch (error) {
      await this.#onError(error, action);
    } finally {
      this.#setRunning(false);
    }
  }

  #setRunning(isRunning) {
    this.#isRunning = isRunning;
    showBusy(isRunning);
    this.#onBusy(isRunning);
  }
}
