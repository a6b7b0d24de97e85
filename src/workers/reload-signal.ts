/**
 * SIGHUP from now on: without a listener it would end the process.
 *
 * What it does is told once the gateway can; one that came before counts then. Main thread.
 */
export class ReloadSignal {
  #isAsked = false;
  #reload: (() => void) | null = null;

  constructor() {
    process.on("SIGHUP", () => {
      if (this.#reload === null) this.#isAsked = true;
      else this.#reload();
    });
  }

  /** `reload` runs at each signal from now on, and at once if one has come before. */
  onSignal(reload: () => void): void {
    this.#reload = reload;
    if (!this.#isAsked) return;
    this.#isAsked = false;
    reload();
  }
}
