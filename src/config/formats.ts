/**
 * What texts in the configuration may look like: a test, a sentence, a pattern for the JSON Schema.
 *
 * The pattern may accept more than the test (a regular expression cannot say all); never less.
 * Pure; any thread.
 */
import { isIP, isIPv4 } from "node:net";
import { tonOfSource } from "../codec/index.ts";

export interface Format {
  readonly test: (text: string) => boolean;
  /** Completes "allowed: …". */
  readonly says: string;
  readonly pattern: string | null;
}

function byPattern(pattern: string, says: string): Format {
  const expression = new RegExp(pattern, "u");
  return { test: (text) => expression.test(text), says, pattern };
}

function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true;
  if (text.length > 253) return false;
  const labels = text.split(".");
  if (labels.every((label) => /^\d+$/u.test(label))) return false; // A mistyped IPv4 address.
  return labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/iu.test(label));
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/u.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}

function isHostPort(text: string): boolean {
  const bracketed = /^\[(?<host>[^\]]+)\]:(?<port>\d+)$/u.exec(text);
  if (bracketed?.groups) {
    return isIP(bracketed.groups["host"] ?? "") === 6 && isPort(bracketed.groups["port"] ?? "");
  }
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon);
  return colon > 0 && !host.includes(":") && isHost(host) && isPort(text.slice(colon + 1));
}

function isCidr(text: string): boolean {
  const match = /^(?<address>[^/]+)\/(?<bits>\d{1,3})$/u.exec(text);
  const address = match?.groups?.["address"] ?? "";
  if (isIP(address) === 0 || address.includes("%")) return false;
  return Number(match?.groups?.["bits"]) <= (isIPv4(address) ? 32 : 128);
}

function isUrl(text: string, protocols: readonly string[]): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return protocols.includes(url.protocol) && url.username === "" && url.password === "";
}

function isLoopbackUrl(text: string): boolean {
  if (!isUrl(text, ["http:"])) return false;
  const { hostname } = new URL(text);
  return hostname === "[::1]" || (isIPv4(hostname) && hostname.startsWith("127."));
}

function isTimeZone(text: string): boolean {
  try {
    return Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

/** Bytes that a C-octet string of SMPP can carry (§3.1: ASCII, no NUL). */
function isPrintableAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/u.test(text);
}

export const FORMATS = {
  node_name: byPattern("^[a-z0-9][a-z0-9-]{0,30}$", "of a-z, 0-9 and -, not beginning with -"),
  label: byPattern("^[^\\p{Cc}]+$", "text without control characters"),
  word: byPattern("^[a-z0-9_-]{1,64}$", "of a-z, 0-9, _ and -"),
  host: { test: isHost, says: "an IP address or a host name", pattern: null },
  host_port: {
    test: isHostPort,
    says: "host:port, as 127.0.0.1:3000 or [::1]:3000",
    pattern: null,
  },
  cidr: {
    test: isCidr,
    says: "an address range as 10.0.0.0/8 or ::1/128 (one address: /32, /128)",
    pattern: "^[0-9A-Fa-f.:]+/[0-9]{1,3}$",
  },
  https_url: {
    test: (text) => isUrl(text, ["https:"]),
    says: "an https:// URL without credentials",
    pattern: "^https://",
  },
  key_set_url: {
    test: (text) => isUrl(text, ["https:"]) || isLoopbackUrl(text),
    says: "an https:// URL without credentials; http:// to a loopback address for trying out",
    pattern: "^https?://",
  },
  http_url: {
    test: (text) => isUrl(text, ["https:", "http:"]),
    says: "an https:// or http:// URL without credentials",
    pattern: "^https?://",
  },
  prefix: byPattern("^[0-9]{0,15}$", "up to 15 digits without +; empty matches every number"),
  system_id: {
    test: (text) => isPrintableAscii(text),
    says: "printable ASCII (SMPP v3.4 §5.2.1)",
    pattern: "^[ -~]*$",
  },
  ascii: { test: (text) => isPrintableAscii(text), says: "printable ASCII", pattern: "^[ -~]*$" },
  hex: byPattern("^([0-9A-Fa-f]{2})*$", "octets of two hexadecimal digits each"),
  dialled: byPattern("^[+]?[0-9]*$", "digits, with or without + in front"),
  sender: {
    test: (text) => tonOfSource(text) >= 0,
    says: "a number, a short code of 3 to 6 digits, or up to 11 letters, digits, space . _ & -",
    pattern: "^[+0-9A-Za-z ._&-]+$",
  },
  sender_pattern: byPattern(
    "^[0-9A-Za-z ._&*?#-]{1,32}$",
    "1 to 32 of letters, digits, space . _ & - and the wildcards * ? #",
  ),
  clock: byPattern("^([01][0-9]|2[0-3]):[0-5][0-9]$", "a time of day as 21:30"),
  zone: { test: isTimeZone, says: "an IANA time zone as Asia/Tashkent", pattern: null },
  list_source: byPattern("^(s3://[^/]+/.+|file:.+)$", "s3://bucket/key or file:relative.csv"),
  event_type: byPattern(
    "^(message|link|deadletter)\\.[a-z]+$",
    "an event type as message.delivered",
  ),
  key_prefix: byPattern(
    "^([A-Za-z0-9_=-][A-Za-z0-9._=-]*/)*$",
    "empty, or folders each ending in /",
  ),
} as const satisfies Record<string, Format>;

export type FormatName = keyof typeof FORMATS;
