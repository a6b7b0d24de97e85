/**
 * `smsgw check-config`: validates a configuration and prints the effective one, secrets masked.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { configWarnings } from "../config/derive.ts";
import { effectiveConfig } from "../config/effective.ts";
import { loadConfig } from "../config/parse.ts";
import { renderYaml } from "../config/yaml-source.ts";
import { EXIT_CODES } from "../errors.ts";
import { printJson } from "./output.ts";
import type { CliIo } from "./output.ts";

export const usage = `Usage: smsgw check-config [options]

Validates a configuration with the SMSGW_ variables of the environment, and prints the effective one
with all defaults, secrets masked. Refused: every problem on stderr, one a line, exit code 78.

Options:
  -c, --config FILE  configuration (smsgw.yaml)
  --json             print JSON instead of YAML
`;

export async function run(args: string[], io: CliIo): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      config: { type: "string", short: "c", default: "smsgw.yaml" },
      json: { type: "boolean", default: false },
    },
  });
  const config = loadConfig(resolve(io.cwd, values.config), io.env, io.readFile);
  for (const warning of configWarnings(config)) io.stderr(`warning: ${warning}\n`);
  const effective = effectiveConfig(config);
  if (values.json) printJson(io, effective);
  else io.stdout(renderYaml(effective));
  return EXIT_CODES.ok.code;
}
