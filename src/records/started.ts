/**
 * STARTED: the first record of every run. Attempts of earlier epochs without an answer are
 * ambiguous from here on.
 *
 *   0 header   8 at f64 (wall ms)   16 epoch u32   20 node length u8   24 node, ASCII
 */
import { RecordType } from "./types.ts";

export const Started = { AT: 8, EPOCH: 16, NODE_LENGTH: 20, NODE: 24 } as const;
export const STARTED_TYPE = RecordType.STARTED;
