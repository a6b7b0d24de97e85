/**
 * Has every worker of the gateway end at a message whose text has POISON_TEXT: preloaded by
 * `NODE_OPTIONS=--import`, it runs in every thread of the gateway, before its own modules.
 */
import { basename } from "node:path";
import { MessageTable } from "../../../src/smpp/queue/message-table.ts";

const { POISON_TEXT } = process.env;

if (POISON_TEXT !== undefined && basename(process.argv[1] ?? "") === "smpp-thread.js") {
  const { prototype } = MessageTable;
  const setBody = Object.getOwnPropertyDescriptor(prototype, "setBody")
    ?.value as MessageTable["setBody"];
  prototype.setBody = function (entry, memory, record, lengthBytes): void {
    const text = Buffer.from(memory.bytes.subarray(record, record + lengthBytes));
    if (text.includes(POISON_TEXT)) throw new Error("broken on purpose");
    setBody.call(this, entry, memory, record, lengthBytes);
  };
}
