/**
 * The real directory of a removal: calls of node:fs that wait in libuv's pool, not in the thread
 * that asks.
 *
 * Another directory under the same path is left alone, as by `NodeLogDirectory.sync`. Entry points
 * make it; the thread that made it calls it.
 */
import {
  close,
  constants,
  fstat,
  fsync,
  ftruncate,
  open,
  readdir,
  stat,
  statSync,
  unlink,
} from "node:fs";
import { join } from "node:path";
import type { RemovalDirectory, RemovalFile } from "./segment-removal.ts";

/** Removals in the directory at `path`, which exists. Throws what it cannot be read for. */
export function openNodeRemovalDirectory(path: string): RemovalDirectory {
  const { dev, ino } = statSync(path);
  const check = (found: { dev: number; ino: number }): Error | null => {
    if (found.dev === dev && found.ino === ino) return null;
    const error = new Error(`ESTALE: ${path} is another directory than at the start`);
    return Object.assign(error, { code: "ESTALE" });
  };
  return {
    list: (onEnd) => readdir(path, (error, names) => onEnd(error, error === null ? names : [])),
    open: (name, onEnd) => openFile(join(path, name), onEnd),
    remove: (name, onEnd) =>
      stat(path, (error, found) => {
        const refusal = error ?? check(found);
        if (refusal === null) unlink(join(path, name), onEnd);
        else onEnd(refusal);
      }),
    sync: (onEnd) =>
      open(path, constants.O_RDONLY | constants.O_DIRECTORY, (error, descriptor) => {
        if (error !== null) return onEnd(error);
        fsync(descriptor, (failure) => close(descriptor, () => onEnd(failure)));
      }),
  };
}

function openFile(
  path: string,
  onEnd: (error: Error | null, file: RemovalFile | null) => void,
): void {
  open(path, constants.O_RDWR, (error, descriptor) => {
    if (error !== null) return onEnd(error, null);
    fstat(descriptor, (failure, found) => {
      if (failure !== null) close(descriptor, () => onEnd(failure, null));
      else onEnd(null, fileOf(descriptor, found.size));
    });
  });
}

function fileOf(descriptor: number, sizeBytes: number): RemovalFile {
  return {
    sizeBytes,
    truncate: (lengthBytes, onEnd) => ftruncate(descriptor, lengthBytes, onEnd),
    close: (onEnd) => close(descriptor, (error) => onEnd(error ?? null)),
  };
}
