/**
 * Has every worker of the gateway end at a message whose text has one of POISON_TEXTS, and wait
 * with a message in hand whose text has POISON_HELD: preloaded by `NODE_OPTIONS=--import`, it runs
 * in every thread of the gateway, before its own modules.
 */
import { basename } from "node:path";
import { MessageTable } from "../../../src/smpp/queue/message-table.ts";

const { POISON_TEXTS, POISON_HELD } = process.env;
/** Longer than the process lives on. */
const HELD_MS = 30_000;

if (POISON_TEXTS !== undefined && basename(process.argv[1] ?? "") === "smpp-thread.js") {
  const { prototype } = MessageTable;
  const setBody = Object.getOwnPropertyDescriptor(prototype, "setBody")
    ?.value as MessageTable["setBody"];
  prototype.setBody = function (entry, memory, record, lengthBytes): void {
    const text = Buffer.from(memory.bytes.subarray(record, record + lengthBytes));
    if (POISON_HELD !== undefined && text.includes(POISON_HELD)) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, HELD_MS);
    }
    if (POISON_TEXTS.split(",").some((poison) => text.includes(poison))) {
      throw new Error("broken on purpose");
    }
    setBody.call(this, entry, memory, record, lengthBytes);
  };
}
