/**
 * A request body as JSON: strict UTF-8, any depth JSON.parse can take, nothing thrown.
 */
import { isUtf8 } from "node:buffer";

const REPLACEMENT = "\ufffd";

/** The parsed value, or undefined if the bytes are not JSON in UTF-8. */
export function parseJson(bytes: Buffer): unknown {
  const text = bytes.toString("utf8");
  // Only text with replacement characters can come from broken UTF-8; looking for one is nearly
  // free.
  if (text.includes(REPLACEMENT) && !isUtf8(bytes)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
