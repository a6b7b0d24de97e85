/**
 * Numbers turns among apps: each new item of an app has its turn behind the app's earlier ones, and
 * as soon as those of apps that have nothing else here.
 *
 *   app 1   1 2 3 4 … 99 100     app 2, when 1 and 2 are out:   3     so it stands behind app 1's 3
 *
 * A list in the order of turns serves its apps round-robin, and each app in its own order. One
 * instance per list, its thread only; nothing is allocated per item. Source: Goyal, Vin and Cheng,
 * "Start-time Fair Queueing" (1996), with every item's cost 1.
 */
const TURN_MAX = 2 ** 30;

export class AppTurns {
  /** Turn of what left the list last. */
  #now = 0;
  #last = 0;
  readonly #lastByApp = new Map<number, number>();

  /** The turn of an app's next item. */
  next(appIndex: number): number {
    const last = this.#lastByApp.get(appIndex) ?? 0;
    const turn = (last > this.#now ? last : this.#now) + 1;
    this.#lastByApp.set(appIndex, turn);
    if (turn > this.#last) this.#last = turn;
    return turn;
  }

  /** The item of this turn left the list, from its head. */
  noteTaken(turn: number): void {
    if (turn > this.#now) this.#now = turn;
  }

  /** The list is empty: nobody stands behind anything. */
  noteEmpty(): void {
    this.#now = this.#last;
    if (this.#now < TURN_MAX) return;
    // Small numbers need no memory of their own.
    this.#now = 0;
    this.#last = 0;
    this.#lastByApp.clear();
  }
}
