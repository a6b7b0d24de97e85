/**
 * Configuration keys of the contact policy. Pure data.
 */
import {
  block,
  blockOrNull,
  int,
  intOrNull,
  named,
  oneOf,
  secretFileOrNull,
  string,
  stringOrNull,
  strings,
} from "./spec.ts";

const rules = block(
  { doc: "Rules of one policy; null switches a rule off." },
  {
    daily_max: intOrNull({
      doc: "Most messages to one number in a day.",
      unit: "messages",
      min: 1,
      max: 100_000,
      built: false,
    }),
    weekly_max: intOrNull({
      doc: "Most messages to one number in a week.",
      unit: "messages",
      min: 1,
      max: 100_000,
      built: false,
    }),
    dedup_window_s: intOrNull({
      doc: "How long the same text to the same number counts as a duplicate.",
      unit: "s",
      min: 1,
      max: 2_592_000,
      built: false,
    }),
    blacklists: strings({
      doc: "Names of `policy.lists` whose numbers are blocked.",
      format: "word",
      max: 64,
      default: [],
      built: false,
    }),
    quiet_hours: blockOrNull(
      { doc: "When nothing but `otp` is sent; null: never.", built: false },
      {
        from: string({ doc: "Beginning.", format: "clock", max: 5 }),
        until: string({ doc: "End; before `from`: the next day.", format: "clock", max: 5 }),
        zone: string({ doc: "Time zone of both.", format: "zone", max: 64, default: "UTC" }),
      },
    ),
  },
);

export const POLICY = block(
  { doc: "Contact rules: who may be written to, how often and when.", reload: "live" },
  {
    mode: oneOf(["embedded", "mcp"], {
      doc: "Rules run in the gateway, or in a Node-RED flow that is asked in batches.",
      default: "embedded",
      built: ["embedded"],
    }),
    mcp_url: stringOrNull({
      doc: "Address of that flow; required by mode `mcp`.",
      format: "http_url",
      max: 2048,
      built: false,
    }),
    mcp_token_file: secretFileOrNull({
      doc: "Bearer token for it.",
      min: 1,
      max: 4096,
      built: false,
    }),
    budget_ms: int({
      doc: "Longest wait for a verdict; then each rule's fallback decides.",
      unit: "ms",
      min: 1,
      max: 10_000,
      default: 50,
    }),
    policies: named(
      {
        doc: "Policies by name; names are 1 to 64 of a-z, 0-9, _, -.",
        always: ["default"],
        countMax: 64,
      },
      rules,
    ),
    lists: named(
      { doc: "Blacklists by name.", always: [], countMax: 64, built: false },
      block(
        { doc: "One blacklist." },
        {
          source: string({ doc: "Where its CSV is.", format: "list_source", max: 2048 }),
          poll_s: int({
            doc: "How often to look for a new version.",
            unit: "s",
            min: 1,
            max: 86_400,
            default: 300,
          }),
        },
      ),
    ),
  },
);
