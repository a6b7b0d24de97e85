/**
 * `smsgw cdr verify`: proves from a bucket or folder that no CDR row is missing or doubled.
 *
 * May run beside a gateway: what is being uploaded at that moment shows as a file without its
 * manifest.
 */
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { loadConfig } from "../config/parse.ts";
import { EXIT_CODES } from "../errors.ts";
import { verifyCdr, type VerifyReport } from "../sink/cdr-verify.ts";
import { FolderReader } from "../sink/folder-store.ts";
import type { ObjectReader } from "../sink/object-store.ts";
import { S3ObjectStore } from "../sink/s3-store.ts";
import { printJson, UsageError } from "./output.ts";
import type { CliIo } from "./output.ts";

const PROBLEMS_SHOWN = 20;

export const usage = `Usage: smsgw cdr verify [options]

Reads every CDR file and its manifest, in the configured bucket or, without one, in data_dir/cdr.
Exit code 0 if no row is missing or doubled, 1 if something is wrong.

Options:
  -c, --config FILE  configuration that names the bucket or data directory (smsgw.yaml)
  --folder DIR       a folder that holds data/ and manifest/, instead of a configuration
  --quick            look at names, sizes and manifests only
  --since-oldest     rows before the oldest file may be gone: old files are removed on purpose
  --json             print JSON
`;

export async function run(args: string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      config: { type: "string", short: "c", default: "smsgw.yaml" },
      folder: { type: "string" },
      quick: { type: "boolean", default: false },
      "since-oldest": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  if (positionals.length !== 1 || positionals[0] !== "verify") throw new UsageError("say verify");
  const reader =
    values.folder === undefined
      ? configuredReader(resolve(io.cwd, values.config), io)
      : folderReader(resolve(io.cwd, values.folder));
  const report = await verifyCdr(reader, {
    isDeep: !values.quick,
    mayBeginLate: values["since-oldest"],
    onFile: (done, count) => {
      if (io.isTerminal && !values.json) io.stderr(`\r${done} of ${count} files`);
      if (io.isTerminal && !values.json && done === count) io.stderr("\n");
    },
  });
  if (values.json) printJson(io, report);
  else io.stdout(reportText(report));
  return report.ok ? EXIT_CODES.ok.code : EXIT_CODES.failure.code;
}

function configuredReader(path: string, io: CliIo): ObjectReader {
  const { cdr, s3, node } = loadConfig(path, io.env, io.readFile);
  if (cdr.bucket === null || s3 === null) return folderReader(join(node.dataDir, "cdr"));
  return new S3ObjectStore(s3, cdr.bucket, cdr.prefix, null);
}

function folderReader(folder: string): ObjectReader {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new Error(`${folder} is not a directory`);
  }
  return new FolderReader(folder);
}

function reportText(report: VerifyReport): string {
  const records = Object.entries(report.records).map(([name, count]) => `${name} ${count}`);
  const more = report.problem_count - PROBLEMS_SHOWN;
  return [
    `${report.place}: ${report.files} files, ${report.bytes} bytes, ${report.rows} rows`,
    `rows     ${records.length === 0 ? "none" : records.join(", ")}`,
    ...report.series.map(
      ({ node, series, from, until, files }) =>
        `series   ${node} ${series}: rows ${from} to ${until - 1} in ${files} files`,
    ),
    ...report.problems
      .slice(0, PROBLEMS_SHOWN)
      .map(({ kind, file, detail }) => `problem  ${kind} ${file}: ${detail}`),
    ...(more > 0 ? [`and ${more} more problems`] : []),
    verdict(report),
    "",
  ].join("\n");
}

function verdict({ ok, problem_count, files }: VerifyReport): string {
  if (!ok) return `${problem_count} problems`;
  return files === 0 ? "no CDR file is there" : "nothing is missing, nothing is doubled";
}
