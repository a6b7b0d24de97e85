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
const NO_APP = -1;

export class AppTurns {
  /** Turn of what left the list last. */
  #now = 0;
  #last = 0;
  /** Of who came last: several of one app mostly come together. */
  #app = NO_APP;
  #turn = 0;
  /** Of the others, the turn of each one's last item. */
  readonly #turnByApp = new Map<number, number>();

  /** The turn of an app's next item. */
  next(appIndex: number): number {
    if (appIndex !== this.#app) this.#changeTo(appIndex);
    const turn = (this.#turn > this.#now ? this.#turn : this.#now) + 1;
    this.#turn = turn;
    if (turn > this.#last) this.#last = turn;
    return turn;
  }

  /** The item of this turn left the list, from its head. */
  noteTaken(turn: number): void {
    if (turn > this.#now) this.#now = turn;
  }

  /** All in the list get their turns anew, in its order. */
  forget(): void {
    this.#last = this.#now;
    this.#turn = 0;
    this.#turnByApp.clear();
  }

  /** The list is empty: nobody stands behind anything. */
  noteEmpty(): void {
    this.#now = this.#last;
    if (this.#now < TURN_MAX) return;
    // Small numbers need no memory of their own.
    this.#now = 0;
    this.#last = 0;
    this.#turn = 0;
    this.#turnByApp.clear();
  }

  #changeTo(appIndex: number): void {
    this.#turnByApp.set(this.#app, this.#turn);
    this.#app = appIndex;
    this.#turn = this.#turnByApp.get(appIndex) ?? 0;
  }
}
