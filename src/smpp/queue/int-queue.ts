/**
 * FIFO of 32-bit integers that grows by doubling and never shrinks; records of several integers are
 * pushed in turn.
 *
 * What bounds it is what its items stand for (window slots, records in the staging ring). One
 * thread.
 */
export class IntQueue {
  #values: Int32Array;
  #mask: number;
  #head = 0;
  #count = 0;

  /** `capacity` is a power of two. */
  constructor(capacity: number) {
    this.#values = new Int32Array(capacity);
    this.#mask = capacity - 1;
  }

  get length(): number {
    return this.#count;
  }

  push(value: number): void {
    if (this.#count > this.#mask) this.#grow();
    this.#values[(this.#head + this.#count) & this.#mask] = value;
    this.#count++;
  }

  /** Removes the first integer; 0 if there is none. */
  shift(): number {
    if (this.#count === 0) return 0;
    const value = this.#values[this.#head] as number;
    this.#head = (this.#head + 1) & this.#mask;
    this.#count--;
    return value;
  }

  /** The integer at `index` from the front, which must exist. */
  peek(index: number): number {
    return this.#values[(this.#head + index) & this.#mask] as number;
  }

  clear(): void {
    this.#head = 0;
    this.#count = 0;
  }

  #grow(): void {
    const grown = new Int32Array(2 * this.#values.length);
    for (let i = 0; i < this.#count; i++) grown[i] = this.peek(i);
    this.#values = grown;
    this.#mask = grown.length - 1;
    this.#head = 0;
  }
}
