/**
 * npm `smpp` 0.5.1 as a contender. It has no types of its own.
 */
import { createRequire } from "node:module";
import type { NpmPdu } from "./fold.ts";

interface NpmSmpp {
  PDU: new (commandOrBytes: string | Buffer, options?: Record<string, unknown>) => NpmPdu;
}

const smpp = createRequire(import.meta.url)("smpp") as NpmSmpp;

export function decodeNpm(bytes: Buffer): NpmPdu {
  return new smpp.PDU(bytes);
}

export function encodeNpm(command: string, options: Record<string, unknown>): Buffer {
  return new smpp.PDU(command, options).toBuffer();
}
