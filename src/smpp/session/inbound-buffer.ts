/**
 * Bytes of a peer that could not be read yet: the start of a PDU, or what came while reading was
 * paused.
 *
 *   bytes [start, end) hold the unread bytes; appending moves them to the front or grows the array
 *
 * One thread.
 */
const INITIAL_BYTES = 4_096;
/** An array that grew beyond this is not kept. */
const KEPT_BYTES_MAX = 262_144;

export class InboundBuffer {
  bytes = new Uint8Array(INITIAL_BYTES);
  start = 0;
  end = 0;

  get length(): number {
    return this.end - this.start;
  }

  append(from: Uint8Array, start: number, end: number): void {
    const added = end - start;
    if (this.end + added > this.bytes.length) this.#makeRoom(added);
    this.bytes.set(from.subarray(start, end), this.end);
    this.end += added;
  }

  /** Marks everything before `start` as read. */
  consumeTo(start: number): void {
    this.start = start;
    if (start === this.end) this.clear();
  }

  clear(): void {
    if (this.bytes.length > KEPT_BYTES_MAX) this.bytes = new Uint8Array(INITIAL_BYTES);
    this.start = 0;
    this.end = 0;
  }

  #makeRoom(added: number): void {
    const needed = this.length + added;
    let capacity = this.bytes.length;
    while (capacity < needed) capacity *= 2;
    const target = capacity === this.bytes.length ? this.bytes : new Uint8Array(capacity);
    if (target === this.bytes) target.copyWithin(0, this.start, this.end);
    else target.set(this.bytes.subarray(this.start, this.end));
    this.end = this.length;
    this.start = 0;
    this.bytes = target;
  }
}
