/**
 * `smsgw link dump`: asks a running gateway for the last PDUs of a link, and writes them as a
 * capture file.
 */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { loadConfig } from "../config/parse.ts";
import { EXIT_CODES } from "../errors.ts";
import { type CliIo, UsageError } from "./output.ts";

export const usage = `Usage: smsgw link dump <link> [options]

Writes the last PDUs of each session of a link as a capture file for tshark or Wireshark. Texts and
passwords are masked, and numbers unless log.redact is false. Asks the running gateway on its admin
port.

Options:
  -c, --config FILE  configuration (smsgw.yaml): admin address and token
  -o, --output FILE  where to write it (link-<link>.pcap)
      --port PORT    admin port, if the configuration leaves it open
`;

export async function run(args: string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      config: { type: "string", short: "c", default: "smsgw.yaml" },
      output: { type: "string", short: "o" },
      port: { type: "string" },
    },
  });
  const [action, link, ...rest] = positionals;
  if (action !== "dump" || rest.length > 0) throw new UsageError('expected "dump <link>"');
  if (link === undefined || !/^[1-9]\d*$/.test(link)) throw new UsageError("<link> is its id");
  const { admin } = loadConfig(resolve(io.cwd, values.config), io.env, io.readFile);
  const host = admin.host.includes(":") ? `[${admin.host}]` : admin.host;
  const url = `http://${host}:${values.port ?? admin.port}/links/${link}/dump`;
  const capture = await fetchCapture(url, admin.token);
  const path = resolve(io.cwd, values.output ?? `link-${link}.pcap`);
  writeFileSync(path, capture, { mode: 0o600 });
  io.stdout(`${path}\n`);
  return EXIT_CODES.ok.code;
}

/** Throws with what the gateway says if it has no such link or wants another token. */
async function fetchCapture(url: string, token: string | null): Promise<Uint8Array> {
  const headers: Record<string, string> =
    token === null ? {} : { Authorization: `Bearer ${token}` };
  let response: Response;
  try {
    response = await fetch(url, { headers });
  } catch (error) {
    const { cause } = error as { cause?: { code?: string; message?: string } };
    const why = cause?.code ?? cause?.message ?? "unknown";
    throw new Error(`no gateway answers at ${url}: ${why}`, { cause: error });
  }
  const body = new Uint8Array(await response.arrayBuffer());
  if (response.ok) return body;
  throw new Error(`${response.status}: ${Buffer.from(body).toString("utf8")}`);
}
