/**
 * A request body as JSON: strict UTF-8, bounded depth, no name twice in one object; nothing thrown.
 *
 *   bytes ─► scan: depth, members ─► JSON.parse ─► as many members as were written?
 *
 * JSON.parse keeps the last of two equal names without a word, and two readers of one message could
 * send it to two numbers. Counting members before and after finds that for the price of a scan;
 * which name it was is looked for only then. Any thread.
 */
import { isUtf8 } from "node:buffer";
import type { FieldError } from "../../errors.ts";

/** Objects and arrays inside each other: four are needed, {messages: [{binary: {…}}]}. */
export const DEPTH_MAX = 16;
/** Longest member name that a pointer repeats. */
const NAME_LENGTH_MAX = 64;

const REPLACEMENT = "\ufffd";
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
/** `{` and `[`, `}` and `]` differ in this bit only. */
const BRACE_BIT = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const TOO_DEEP = -1;

/**
 * The parsed value, or undefined with the reason in `errors`. Pointers start at the body's root.
 */
export function readJson(bytes: Buffer, errors: FieldError[]): unknown {
  const members = countWritten(bytes);
  if (members === TOO_DEEP) {
    return refuse(errors, "", `has more than ${DEPTH_MAX} objects and arrays inside each other`);
  }
  const text = bytes.toString("utf8");
  // Only text with replacement characters can come from broken UTF-8; looking for one is nearly
  // free.
  if (text.includes(REPLACEMENT) && !isUtf8(bytes)) return refuse(errors, "", NOT_JSON);
  let value: unknown;
  try {
    value = JSON.parse(text) as unknown;
  } catch {
    return refuse(errors, "", NOT_JSON);
  }
  if (countParsed(value) === members) return value;
  return refuse(errors, findRepeated(text), "is given twice");
}

/** A member name as a step of a JSON Pointer (RFC 6901 §3); a very long one is cut. */
export function pointerStep(name: string): string {
  const shown = name.length > NAME_LENGTH_MAX ? `${name.slice(0, NAME_LENGTH_MAX)}…` : name;
  return `/${shown.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

const NOT_JSON = "must be JSON in UTF-8";

function refuse(errors: FieldError[], pointer: string, detail: string): undefined {
  errors.push({ pointer, detail });
  return undefined;
}

/** Members of all objects as they are written; TOO_DEEP. Means nothing for what is no JSON. */
function countWritten(bytes: Uint8Array): number {
  const end = bytes.length;
  let members = 0;
  let depth = 0;
  for (let i = 0; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte === QUOTE) {
      for (i++; i < end && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
    } else if (byte === COLON) {
      members++;
    } else if ((byte | BRACE_BIT) === OPEN) {
      if (++depth > DEPTH_MAX) return TOO_DEEP;
    } else if ((byte | BRACE_BIT) === CLOSE) {
      depth--;
    }
  }
  return members;
}

/** Members of all objects as they were parsed. */
function countParsed(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let members = 0;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) members += countParsed(value[i]);
    return members;
  }
  const object = value as Readonly<Record<string, unknown>>;
  // Own members only: JSON.parse makes plain objects, whose prototype has no enumerable ones.
  for (const name in object) {
    members++;
    const member = object[name];
    if (typeof member === "object" && member !== null) members += countParsed(member);
  }
  return members;
}

/** An object or array that is being read. */
interface Level {
  /** Names so far; null for an array. */
  readonly names: Set<string> | null;
  /** Whether the next string is a name. */
  isNameNext: boolean;
  index: number;
  /** Pointer to the member or item that is being read. */
  step: string;
}

/** Pointer to the first member of valid JSON whose name was there before. */
function findRepeated(text: string): string {
  const levels: Level[] = [];
  for (let i = 0; i < text.length; i++) {
    const sign = text[i] as string;
    const level = levels.at(-1);
    if (sign === "{") {
      levels.push({ names: new Set(), isNameNext: true, index: 0, step: "" });
    } else if (sign === "[") {
      levels.push({ names: null, isNameNext: false, index: 0, step: "/0" });
    } else if (sign === "}" || sign === "]") {
      levels.pop();
    } else if (sign === "," && level !== undefined) {
      level.isNameNext = level.names !== null;
      if (level.names === null) level.step = `/${++level.index}`;
    } else if (sign === '"') {
      const end = stringEnd(text, i);
      if (level?.isNameNext === true && level.names !== null) {
        const name = JSON.parse(text.slice(i, end)) as string;
        level.isNameNext = false;
        level.step = pointerStep(name);
        if (level.names.has(name)) return levels.map(({ step }) => step).join("");
        level.names.add(name);
      }
      i = end - 1;
    }
  }
  return "";
}

/** The index behind the string that starts at `start`. */
function stringEnd(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
  return i + 1;
}
