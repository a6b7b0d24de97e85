/**
 * SIGTERM and SIGINT from now on: the first asks for an end in order, the second for one at once.
 *
 * What they do is told as the start of the gateway goes on; a signal that came before counts then.
 * Main thread.
 */
export class StopSignals {
  #count = 0;
  #first: () => void = () => undefined;
  #second: () => void = () => undefined;

  constructor() {
    const onSignal = (): void => {
      this.#count += 1;
      if (this.#count === 1) this.#first();
      else this.#second();
    };
    process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  }

  /** Whether a signal has come. */
  get isAsked(): boolean {
    return this.#count > 0;
  }

  onFirst(run: () => void): void {
    this.#first = run;
    if (this.#count > 0) run();
  }

  onSecond(run: () => void): void {
    this.#second = run;
    if (this.#count > 1) run();
  }
}
