/**
 * `smsgw deadletters`: lists the dead letters of a running gateway, and has them sent anew.
 *
 * Goes page by page over its HTTP interface, with a token that has the scope ops.
 */
import { parseArgs } from "node:util";
import { EXIT_CODES } from "../errors.ts";
import { type CliIo, printJson, UsageError } from "./output.ts";

export const usage = `Usage: smsgw deadletters list|replay [ID...] [options]

list    prints dead letters, one JSON object a line, oldest first
replay  sends them anew, each as a new message; prints what became of each, one a line. Exit code 1
        if any was not replayed. Names the ids, or takes --all for every one that fits the options.

Options:
      --url URL          public listener of the gateway (http://127.0.0.1:8080)
      --token-file FILE  token with the scope ops
      --token-app APP    its app, for X-App-ID
      --all              replay all that fit
      --app APP          those of this app
      --class CLASS      otp, transactional or promotional
      --reason REASON    attempts_over, validity_over, unsendable or quarantined
      --since TIME       accepted from then on, RFC 3339
      --until TIME       accepted before
`;

const FILTERS = ["app", "class", "reason", "since", "until"] as const;
/** Dead letters asked for at once. */
const LIST_LIMIT = 500;
const REPLAY_LIMIT = 1000;

interface Call {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Page {
  readonly data: readonly unknown[];
  readonly next: string | null;
}

interface Replayed {
  readonly results: readonly { readonly outcome: string }[];
  readonly next: string | null;
}

export async function run(args: string[], io: CliIo): Promise<number> {
  const text = { type: "string" } as const;
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      url: { type: "string", default: "http://127.0.0.1:8080" },
      "token-file": text,
      "token-app": text,
      all: { type: "boolean", default: false },
      app: text,
      class: text,
      reason: text,
      since: text,
      until: text,
    },
  });
  const [action, ...ids] = positionals;
  const file = values["token-file"];
  const app = values["token-app"];
  if (file === undefined || app === undefined) {
    throw new UsageError("--token-file and --token-app are needed");
  }
  const token = new TextDecoder().decode(io.readFile(file)).trim();
  const call = { url: values.url, headers: { Authorization: `Bearer ${token}`, "X-App-ID": app } };
  const filter: Record<string, string> = {};
  for (const name of FILTERS) {
    const value = values[name];
    if (value !== undefined) filter[name] = value;
  }
  if (action === "list" && ids.length === 0) return await list(io, call, filter);
  if (action !== "replay") throw new UsageError("expected list, or replay");
  const hasFilter = Object.keys(filter).length > 0;
  if (values.all !== (ids.length === 0)) throw new UsageError("replay needs ids, or --all");
  if (ids.length > 0 && hasFilter) throw new UsageError("options that choose go with --all");
  // What dies again meanwhile is not sent a third time.
  const until = new Date(io.wallMs()).toISOString();
  return await replay(io, call, ids, { until, ...filter });
}

async function list(
  io: CliIo,
  call: Call,
  filter: Readonly<Record<string, string>>,
): Promise<number> {
  for (let after: string | null = ""; after !== null; ) {
    const query = new URLSearchParams({ ...filter, limit: String(LIST_LIMIT) });
    if (after !== "") query.set("after", after);
    const page = (await ask(call, `/v1/deadletters?${query.toString()}`, null)) as Page;
    for (const letter of page.data) printJson(io, letter);
    after = page.next;
  }
  return EXIT_CODES.ok.code;
}

async function replay(
  io: CliIo,
  call: Call,
  ids: readonly string[],
  filter: Readonly<Record<string, string>>,
): Promise<number> {
  let isEvery = true;
  const order = async (body: object): Promise<string | null> => {
    const { results, next } = (await ask(call, "/v1/deadletters:replay", body)) as Replayed;
    for (const result of results) {
      printJson(io, result);
      if (result.outcome !== "replayed") isEvery = false;
    }
    return next;
  };
  for (let from = 0; from < ids.length; from += REPLAY_LIMIT) {
    await order({ ids: ids.slice(from, from + REPLAY_LIMIT) });
  }
  for (let after: string | null = ids.length > 0 ? null : ""; after !== null; ) {
    const cursor: object = after === "" ? {} : { after };
    after = await order({ filter, limit: REPLAY_LIMIT, ...cursor });
  }
  return isEvery ? EXIT_CODES.ok.code : 1;
}

/** Throws with what the gateway says if it refuses. */
async function ask(call: Call, path: string, body: object | null): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(new URL(path, call.url), {
      method: body === null ? "GET" : "POST",
      headers: { ...call.headers, "Content-Type": "application/json" },
      ...(body === null ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    const { cause } = error as { cause?: { code?: string; message?: string } };
    const why = cause?.code ?? cause?.message ?? "unknown";
    throw new Error(`no gateway answers at ${call.url}: ${why}`, { cause: error });
  }
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status}: ${text}`);
  return JSON.parse(text) as unknown;
}
