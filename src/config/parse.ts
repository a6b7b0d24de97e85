/**
 * Configuration file and environment → GatewayConfig, or a ConfigError with every problem.
 *
 *   YAML → plain tree → environment over it → checked by the table → relations → frozen
 *
 * Called once at start and again at a reload; files and environment are parameters.
 */
import { dirname, resolve } from "node:path";
import { checkNode } from "./check.ts";
import type { ReadFile } from "./check.ts";
import { conclude } from "./derive.ts";
import { overlayEnv, pathKey } from "./env.ts";
import type { Environment, Overlaid } from "./env.ts";
import { ConfigError } from "./problems.ts";
import type { ConfigProblem } from "./problems.ts";
import { checkRelations } from "./relations.ts";
import type { ValueOf } from "./spec.ts";
import { TABLE } from "./table.ts";
import type { GatewayConfig } from "./types.ts";
import { readYaml } from "./yaml-source.ts";
import type { RawPath, YamlSource } from "./yaml-source.ts";

/**
 * The configuration of a file's content; relative paths start from `baseDir`.
 * Throws ConfigError with all problems found.
 */
export function parseConfig(
  source: Uint8Array | string,
  baseDir: string,
  env: Environment,
  readFile: ReadFile,
): GatewayConfig {
  const problems: ConfigProblem[] = [];
  const yaml = readYaml(source, problems);
  if (yaml === null) throw new ConfigError(problems);
  const overlaid = overlayEnv(TABLE, yaml.value, env, problems);
  const whereOf = (path: RawPath) => whereWritten(yaml, overlaid, path);
  const checked = checkNode(
    TABLE,
    overlaid.value,
    { shown: "", raw: [] },
    {
      problems,
      baseDir,
      readFile,
      whereOf,
      secretOf: (path) => overlaid.secrets.get(pathKey(path)) ?? null,
    },
  );
  if (checked !== null) {
    // Compiles only while the table has every key of GatewayConfig, with its type.
    const config: GatewayConfig = checked as ValueOf<typeof TABLE>;
    const broken = new Set(problems.map((problem) => problem.path.split(/[.[]/u, 1)[0] ?? ""));
    checkRelations(config, broken, (path, raw, found, allowed) => {
      problems.push({ path, found, allowed, where: whereOf(raw) });
    });
    if (problems.length === 0) return conclude(config);
  }
  throw new ConfigError(problems);
}

/** The configuration in a file; a file that cannot be read is a ConfigError too. */
export function loadConfig(path: string, env: Environment, readFile: ReadFile): GatewayConfig {
  const absolute = resolve(path);
  let source: Uint8Array;
  try {
    source = readFile(absolute);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "error";
    const found = `${absolute}, which cannot be read (${code})`;
    const problem = { path: "file", found, allowed: "a readable YAML file (-c)", where: null };
    throw new ConfigError([problem]);
  }
  return parseConfig(source, dirname(absolute), env, readFile);
}

function whereWritten(yaml: YamlSource, overlaid: Overlaid, path: RawPath): string | null {
  for (let length = path.length; length > 0; length--) {
    const name = overlaid.origins.get(pathKey(path.slice(0, length)));
    if (name !== undefined) return `environment ${name}`;
  }
  const line = yaml.lineOf(path);
  return line === null ? null : `line ${line}`;
}
