/**
 * Entry of a thread that hosts the operator simulator for the demo.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { SmscOptions } from "../smsc/options.ts";
import { startSmsc } from "../smsc/server.ts";

const smsc = await startSmsc(workerData as Partial<SmscOptions>);
parentPort?.postMessage(smsc.port);
