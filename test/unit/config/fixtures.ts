/** Small configurations and an in-memory file reader for the tests of src/config. */
import { parseConfig } from "../../../src/config/parse.ts";
import { ConfigError } from "../../../src/config/problems.ts";
import type { ConfigProblem } from "../../../src/config/problems.ts";
import type { GatewayConfig } from "../../../src/config/types.ts";

export const BASE_DIR = "/etc/smsgw";

/** The least file: what api.md says is not optional. */
export const LEAST = `
apps: [{ id: 1, name: demo }]
links: [{ id: 100, host: 127.0.0.1, system_id: demo }]
routes: [{ prefix: "", to: 100 }]
`;

/** Files by absolute path; anything else is ENOENT. */
export function filesOf(files: Readonly<Record<string, string | Uint8Array>>) {
  return (path: string): Uint8Array => {
    const content = files[path];
    if (content === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
    return typeof content === "string" ? Buffer.from(content) : content;
  };
}

export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
}

export function parse(source: string | Uint8Array, around: Surroundings = {}): GatewayConfig {
  return parseConfig(source, BASE_DIR, around.env ?? {}, filesOf(around.files ?? {}));
}

/** The problems of a file that must be refused. */
export function refusals(
  source: string | Uint8Array,
  around: Surroundings = {},
): readonly ConfigProblem[] {
  try {
    parse(source, around);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error("the configuration was accepted");
}

/** Paths of the problems of a file that must be refused. */
export function refusedPaths(source: string, around: Surroundings = {}): string[] {
  return refusals(source, around).map((problem) => problem.path);
}
