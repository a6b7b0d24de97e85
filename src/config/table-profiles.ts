/**
 * Configuration keys of link profiles: what an operator's SMSC expects beyond the specification.
 * Pure data; docs/LINK-PROFILES.md explains them.
 */
import {
  block,
  bool,
  int,
  intOrNull,
  items,
  named,
  oneOf,
  someOf,
  string,
  stringOrNull,
  strings,
  stringsOrNull,
} from "./spec.ts";

/** Octets of TLVs that a profile may add to each submit_sm. */
export const PROFILE_TLV_BYTES_MAX = 1024;

function ton(fallback: number, what: string) {
  return int({ doc: `TON of ${what} (spec 5.2.5).`, min: 0, max: 6, default: fallback });
}

function npi(fallback: number, what: string) {
  return int({ doc: `NPI of ${what} (spec 5.2.6).`, min: 0, max: 18, default: fallback });
}

/** Type of one kind of source address. */
function sourceType(what: string, tonDefault: number, npiDefault: number) {
  return block(
    { doc: `Type of ${what}.` },
    { ton: ton(tonDefault, what), npi: npi(npiDefault, what) },
  );
}

/** Type of one kind of source number, and how its first digits are rewritten. */
function sourceNumber(what: string, tonDefault: number, npiDefault: number) {
  return block(
    { doc: `Type of ${what}, and how its first digits are rewritten.` },
    {
      ton: ton(tonDefault, what),
      npi: npi(npiDefault, what),
      strip: string({
        doc: "First digits to take off, where a number begins with them.",
        format: "prefix",
        min: 0,
        max: 15,
        default: "",
      }),
      add: string({
        doc: "Put in their place; with an empty `strip` in front of every number.",
        format: "dialled",
        min: 0,
        max: 5,
        default: "",
      }),
    },
  );
}

const DESTINATION = items(
  {
    doc: "Rules for destinations: the longest matching `strip` applies; without one, 1/1 as it is.",
    idKey: "strip",
    required: false,
    countMax: 1000,
  },
  block(
    { doc: "One rule." },
    {
      strip: string({
        doc: "First digits of the international number, which are taken off; empty: every number.",
        format: "prefix",
        min: 0,
        max: 15,
      }),
      add: string({
        doc: "Put in their place.",
        format: "dialled",
        min: 0,
        max: 5,
        default: "",
      }),
      ton: ton(1, "these numbers"),
      npi: npi(1, "these numbers"),
    },
  ),
);

const TLVS = items(
  {
    doc: "TLVs added to every submit_sm; each has one of `hex`, `string`, `int`.",
    idKey: "tag",
    required: false,
    countMax: 32,
  },
  block(
    { doc: "One TLV." },
    {
      tag: int({ doc: "Its tag; hexadecimal may be written as 0x1400.", min: 1, max: 0xffff }),
      hex: stringOrNull({
        doc: "Value as hexadecimal octets; empty: a TLV without value.",
        format: "hex",
        min: 0,
        max: 1024,
      }),
      string: stringOrNull({
        doc: "Value as ASCII text; quote digits.",
        format: "ascii",
        max: 512,
      }),
      nul: bool({ doc: "Whether a NUL ends the text.", default: false }),
      int: intOrNull({ doc: "Value as an unsigned integer.", min: 0, max: 0xffff_ffff }),
      bytes: int({ doc: "Size of the integer: 1, 2 or 4.", min: 1, max: 4, default: 1 }),
    },
  ),
);

const COMMAND_STATUS = items(
  {
    doc: "What this operator means by a code, where that is not what the specification says.",
    idKey: "code",
    required: false,
    countMax: 256,
  },
  block(
    { doc: "One code." },
    {
      code: int({
        doc: "Value of command_status, as 0x0400; 0x500 stands for every code from there on.",
        min: 1,
        max: 0x500,
      }),
      class: oneOf(["retry", "throttle", "reject", "unbind"], {
        doc: "Send it again; slow the link down and keep it; give it up; bind again slowly.",
      }),
    },
  ),
);

export const PROFILES = named(
  {
    doc: "What operators expect, by name; see docs/LINK-PROFILES.md.",
    always: ["default"],
    countMax: 256,
    reload: "live",
  },
  block(
    { doc: "One profile." },
    {
      default_alphabet: oneOf(["gsm7", "gsm7_packed", "latin1", "ascii"], {
        doc: "What data_coding 0 means: GSM 03.38 (an octet each, or packed), Latin-1, ASCII.",
        default: "gsm7",
      }),
      concatenation: oneOf(["udh8", "udh16", "sar", "sar16", "payload"], {
        doc: "How long texts go: UDH or sar_* with 8 or 16-bit references, or message_payload.",
        default: "udh8",
      }),
      reference_overflow: oneOf(["widen", "refuse"], {
        doc: "When a handset gets more long texts than 8-bit references: a 16-bit one, or 503.",
        default: "widen",
      }),
      languages: someOf(["turkish", "spanish", "portuguese"], {
        doc: "National tables the handsets know, used where they save a part over UCS-2.",
        default: [],
      }),
      senders: block(
        { doc: "Which source addresses the operator lets through." },
        {
          allow: stringsOrNull({
            doc: "Patterns of which one must match: `*` any text, `?` any one, `#` any digit.",
            format: "sender_pattern",
            max: 10_000,
            default: null,
          }),
          deny: strings({
            doc: "Patterns of which none may match, whatever the case of letters.",
            format: "sender_pattern",
            max: 10_000,
            default: [],
          }),
          default: stringOrNull({
            doc: "Source address of messages without `from`; null: none, the operator sets one.",
            format: "sender",
            max: 16,
          }),
        },
      ),
      service_type: string({
        doc: "Value of service_type in every submit_sm (spec 5.2.11).",
        format: "ascii",
        min: 0,
        max: 5,
        default: "",
      }),
      source: block(
        { doc: "Types of source addresses." },
        {
          alphanumeric: sourceType("alphanumeric source addresses", 5, 0),
          short_code: sourceType("source addresses of 3 to 6 digits", 3, 0),
          international: sourceNumber("international source numbers", 1, 1),
          national: sourceNumber("source numbers that begin with 0", 2, 1),
          none: sourceType("an empty source address", 0, 0),
        },
      ),
      destination: DESTINATION,
      tlvs: TLVS,
      command_status: COMMAND_STATUS,
      attempts_max: int({
        doc: "Attempts at a segment; what is refused for now at the last one is a dead letter.",
        min: 1,
        max: 250,
        default: 250,
      }),
    },
  ),
);
