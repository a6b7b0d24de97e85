/**
 * Numbers turns among apps: each new item of an app has its turn behind the app's earlier ones, or,
 * if it has none here, in the turn that is being served.
 *
 *   app 1   1 2 3 4 … 99 100     app 2, when 1 and 2 are out:   2 3   before app 1's 3, and its
 *                                                                     next one behind that
 *
 * A list in the order of turns serves its apps round-robin, and each app in its own order: who
 * comes anew waits for nobody's backlog, and while two apps wait, neither gets more than two more
 * than the other. One instance per list, its thread only; nothing is allocated per item. Source:
 * Goyal, Vin and Cheng, "Start-time Fair Queueing" (1996), with every item's cost 1: virtual time
 * is the start of what is served.
 */
const TURN_MAX = 2 ** 30;
const NO_APP = -1;
const APPS_FIRST = 16;

export class AppTurns {
  /** The turn before that of what left the list last: who comes anew has a part in that one. */
  #now = 0;
  #last = 0;
  /** Of who came last: several of one app mostly come together. */
  #app = NO_APP;
  #turn = 0;
  /** By app index: of the others, the turn of each one's last item; 0: none. */
  #turns = new Float64Array(APPS_FIRST);

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
    this.#now = Math.max(this.#now, turn - 1);
  }

  /** All in the list get their turns anew, in its order. */
  forget(): void {
    this.#last = this.#now;
    this.#turn = 0;
    this.#turns.fill(0);
  }

  /** The list is empty: nobody stands behind anything. */
  noteEmpty(): void {
    this.#now = this.#last;
    if (this.#now < TURN_MAX) return;
    // Small numbers need no memory of their own.
    this.#now = 0;
    this.#last = 0;
    this.#turn = 0;
    this.#turns.fill(0);
  }

  #changeTo(appIndex: number): void {
    if (this.#app !== NO_APP) this.#turns[this.#app] = this.#turn;
    this.#app = appIndex;
    if (appIndex >= this.#turns.length) this.#growTo(appIndex + 1);
    this.#turn = this.#turns[appIndex] as number;
  }

  #growTo(length: number): void {
    const longer = new Float64Array(Math.max(length, 2 * this.#turns.length));
    longer.set(this.#turns);
    this.#turns = longer;
  }
}
