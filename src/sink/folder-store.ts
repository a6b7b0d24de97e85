/**
 * A folder laid out like a bucket: for reading CDR files where there is no bucket.
 */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { listFiles } from "./durable-file.ts";
import type { ObjectEntry, ObjectReader } from "./object-store.ts";

export class FolderReader implements ObjectReader {
  readonly place: string;

  constructor(folder: string) {
    this.place = folder;
  }

  async *list(prefix: string): AsyncGenerator<ObjectEntry> {
    for (const { path, bytes } of await listFiles(this.place, prefix)) yield { key: path, bytes };
  }

  async read(key: string): Promise<AsyncIterable<Uint8Array>> {
    return createReadStream(join(this.place, key)) as AsyncIterable<Uint8Array>;
  }
}
