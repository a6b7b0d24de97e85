/**
 * Where finished files go, and what the verifier reads: a bucket, or a folder laid out like one.
 */

/** What is stored beside an object, to tell later whether it is the same. */
export interface ObjectDigest {
  readonly sha256: string;
  readonly rowsSha256: string;
}

/** Another file with other rows has the name: the same identity is used twice. Never replaced. */
export class ObjectConflictError extends Error {
  override readonly name = "ObjectConflictError";
}

export interface ObjectEntry {
  readonly key: string;
  readonly bytes: number;
}

/** Reading: keys are relative to the prefix. */
export interface ObjectReader {
  /** For people. */
  readonly place: string;
  /** Every object whose key begins with `prefix`, in the order of keys. */
  list(prefix: string): AsyncIterable<ObjectEntry>;
  read(key: string): Promise<AsyncIterable<Uint8Array>>;
}

export interface ObjectStore extends ObjectReader {
  /**
   * Stores the file at `path`. Resolves once it is surely there; rejects with ObjectConflictError,
   * or with what went wrong: then it may be there or not, and may be put again.
   */
  putFile(key: string, path: string, digest: ObjectDigest): Promise<void>;
  /** Whether it is there with this SHA-256. */
  holds(key: string, sha256: string): Promise<boolean>;
  close(): void;
}
