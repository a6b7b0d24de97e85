/**
 * A thread that reads moved bodies of the store that its parent has open. workerData: the path.
 *
 * Asked for a log offset it answers with the body as text, or null.
 */
import { Buffer } from "node:buffer";
import { parentPort, workerData } from "node:worker_threads";
import { LmdbMovedBodies } from "../../../src/ledger/store/lmdb-store.ts";

const bodies = new LmdbMovedBodies(workerData as string, 1e9);
parentPort?.on("message", (logOffset: number) => {
  const found = bodies.find(logOffset);
  parentPort?.postMessage(found === undefined ? null : Buffer.from(found).toString());
});
