/**
 * Places of a listener that all apps share: whoever takes one must leave as many free as its app
 * then has.
 *
 *   one app alone            half of all places
 *   a second one beside it   half of what the first has left, and so on
 *
 * So no app can keep another out, and none that is alone is held to a small share. Used by the
 * listener's thread only.
 */

/** Holds what no app has been found for yet; shares like an app. */
export const NO_APP = -1;

export class AppPlaces {
  readonly #count: number;
  readonly #taken = new Map<number, number>();
  #used = 0;

  constructor(count: number) {
    this.#count = count;
  }

  /** Takes a place for an app (its id, or NO_APP); false if its share is used up. */
  take(app: number): boolean {
    const taken = this.#taken.get(app) ?? 0;
    if (taken >= this.#count - this.#used) return false;
    this.#add(app);
    return true;
  }

  /**
   * Counts a place that `from` has for `to`; false, and as it was, if the share of `to` is used up.
   */
  move(from: number, to: number): boolean {
    this.giveBack(from);
    if (this.take(to)) return true;
    this.#add(from);
    return false;
  }

  /** Gives back a place that the app has. */
  giveBack(app: number): void {
    const left = (this.#taken.get(app) as number) - 1;
    if (left === 0) this.#taken.delete(app);
    else this.#taken.set(app, left);
    this.#used--;
  }

  #add(app: number): void {
    this.#taken.set(app, (this.#taken.get(app) ?? 0) + 1);
    this.#used++;
  }
}
