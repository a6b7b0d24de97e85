/**
 * What this operator says to a bind before it looks at the account, and to operations that it does
 * not offer. Pure; any thread may call it.
 */
import { type BindRequest, COMMAND_ID, COMMAND_STATUS } from "../codec/index.ts";
import type { SmscOptions } from "./options.ts";
import { DRAW_RANGE } from "./random.ts";
import type { DrawSource } from "./verdict.ts";

/** A bind to decode into. */
export const BIND_EMPTY: BindRequest = {
  systemId: "",
  password: "",
  systemType: "",
  interfaceVersion: 0,
  addrTon: 0,
  addrNpi: 0,
  addressRange: "",
};

/** ESME_ROK, or why a bind is refused. */
export function judgeBind(
  options: SmscOptions,
  bind: BindRequest,
  commandId: number,
  draws: DrawSource,
): number {
  const { systemId, password, transceiver, bindRefusals } = options;
  if (!transceiver && commandId === COMMAND_ID.bind_transceiver) {
    return COMMAND_STATUS.ESME_RINVCMDID;
  }
  if (bindRefusals.length > 0) {
    let draw = draws.draw() / DRAW_RANGE;
    for (const { status, share } of bindRefusals) {
      draw -= share;
      if (draw < 0) return status;
    }
  }
  if (systemId !== null && bind.systemId !== systemId) return COMMAND_STATUS.ESME_RINVSYSID;
  if (password !== null && bind.password !== password) return COMMAND_STATUS.ESME_RINVPASWD;
  return COMMAND_STATUS.ESME_ROK;
}

/** What a known operation is refused with; undefined for those that are none. */
export function refusalOf(commandId: number): number | undefined {
  return UNSUPPORTED[commandId];
}

const UNSUPPORTED: Readonly<Record<number, number>> = {
  [COMMAND_ID.query_sm]: COMMAND_STATUS.ESME_RQUERYFAIL,
  [COMMAND_ID.cancel_sm]: COMMAND_STATUS.ESME_RCANCELFAIL,
  [COMMAND_ID.replace_sm]: COMMAND_STATUS.ESME_RREPLACEFAIL,
  [COMMAND_ID.submit_multi]: COMMAND_STATUS.ESME_RINVCMDID,
  [COMMAND_ID.data_sm]: COMMAND_STATUS.ESME_RINVCMDID,
};
