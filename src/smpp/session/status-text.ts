/**
 * A command_status as people read it in logs. Pure.
 */
import { statusNameOf } from "../../codec/index.ts";

/** `ESME_RTHROTTLED (0x58)`, or the number alone where it has no name. */
export function statusText(commandStatus: number): string {
  const name = statusNameOf(commandStatus);
  const code = `0x${commandStatus.toString(16).padStart(2, "0")}`;
  return name === undefined ? code : `${name} (${code})`;
}
