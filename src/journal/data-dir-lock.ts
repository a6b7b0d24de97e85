/**
 * Holds a data directory for one process: an abstract unix socket named after the directory's
 * device and inode.
 *
 * The kernel drops it with the process, however that ends, and no file is left behind. It is seen
 * by every process of the same network namespace. Linux only. Main thread, before anything in the
 * directory is read.
 */
import { statSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { DataDirError, systemCode } from "./errors.ts";

export interface DataDirLock {
  /** Lets the directory go. */
  release(): void;
}

/**
 * Takes the directory at `path`. Rejects with DataDirError if another process holds it; other
 * errors as they are.
 */
export function lockDataDir(path: string): Promise<DataDirLock> {
  const { dev, ino } = statSync(path, { bigint: true });
  const server = createServer((socket) => {
    socket.destroy();
  });
  return listen(server, `\0smsgw-${dev}-${ino}`).then(
    () => {
      server.unref();
      return { release: () => void server.close() };
    },
    (error: unknown) => {
      if (systemCode(error) !== "EADDRINUSE") throw error;
      throw new DataDirError("in use", `${path} is in use by another process`, error);
    },
  );
}

function listen(server: Server, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(name, resolve);
  });
}
