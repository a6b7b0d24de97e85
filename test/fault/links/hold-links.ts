/**
 * Keeps every worker of the gateway from sending while the file HOLD_FILE is there: preloaded by
 * `NODE_OPTIONS=--import`, it runs in every thread of the gateway, before its own modules.
 */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { Scheduler } from "../../../src/smpp/pace/scheduler.ts";

const { HOLD_FILE } = process.env;

if (HOLD_FILE !== undefined && basename(process.argv[1] ?? "") === "smpp-thread.js") {
  const { prototype } = Scheduler;
  const run = Object.getOwnPropertyDescriptor(prototype, "run")?.value as (
    this: Scheduler,
  ) => number;
  prototype.run = function (): number {
    return existsSync(HOLD_FILE) ? 0 : run.call(this);
  };
}
