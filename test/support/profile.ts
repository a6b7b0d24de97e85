/** Link profiles as the configuration makes them, for tests and benches of what uses them. */
import { parseConfig } from "../../src/config/parse.ts";
import type { ProfileConfig } from "../../src/config/profile-types.ts";

/** The profile that these lines of YAML, indented by nothing, describe; "" is the default one. */
export function profileOf(yaml: string): ProfileConfig {
  const lines = (yaml.trim() || "{}").split("\n");
  const source = `
apps: [{ id: 1, name: demo }]
links: [{ id: 100, host: 127.0.0.1, system_id: demo, profile: tried }]
routes: [{ prefix: "", to: 100 }]
profiles:
  tried:
${lines.map((line) => `    ${line}`).join("\n")}
`;
  const config = parseConfig(source, "/", {}, () => new Uint8Array());
  return config.profiles["tried"] as ProfileConfig;
}

export const DEFAULT_PROFILE = profileOf("");
