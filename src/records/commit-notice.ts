/**
 * COMMIT_NOTICE (journal → producer): the records between the producer's last notice and
 * `end_position` of its staging ring are committed, and the first of them lies at `log_offset`; the
 * rest follow without a gap.
 *
 *   0 header   8 log_offset f64   16 end_position i32 (ring position, wraps)
 */
import { RecordType } from "./types.ts";

export const CommitNotice = { LOG_OFFSET: 8, END_POSITION: 16 } as const;
export const COMMIT_NOTICE_BYTES = 24;
export const COMMIT_NOTICE_TYPE = RecordType.COMMIT_NOTICE;
