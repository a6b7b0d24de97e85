/**
 * Every bound and delay of the SMPP side, by name; what follows from them is asserted in
 * test/unit/smpp.
 *
 * Pure data; any thread may read it.
 */

/** TCP connect, bind_resp, enquire_link_resp and unbind_resp must come within these times. */
export const CONNECT_TIMEOUT_MS = 5_000;
export const BIND_TIMEOUT_MS = 10_000;
export const ENQUIRE_TIMEOUT_MS = 10_000;
export const UNBIND_TIMEOUT_MS = 5_000;
/** The bind_resp of a session that is not wanted any more. */
export const LAST_BIND_TIMEOUT_MS = 2_000;

/** A peer that has not taken our bytes for so long is closed. */
export const UNDRAINED_MAX_MS = 30_000;
/** … and so long: producers see less weight. */
export const STALLED_AFTER_MS = 2_000;
/** A peer whose requests could not be answered for so long (reading was paused) is closed. */
export const OWED_PAUSE_MAX_MS = 30_000;
/** Requests of one peer that may wait for their responses. */
export const OWED_RESPONSES_MAX = 1024;
/** Bytes of a peer that may wait to be read while its socket is paused. */
export const INBOUND_BYTES_MAX = 1 << 20;

/**
 * After a pause or a stall of this thread, answers may lie unread: no deadline counts for so long.
 */
export const GRACE_MS = 1_000;
/** A tick that comes so late tells of a stall. */
export const LATE_TICK_MS = 1_000;

/** Redial: full jitter within 1 s, 2 s, … 60 s. */
export const REDIAL_BASE_MS = 1_000;
export const REDIAL_MAX_MS = 60_000;
/** After the SMSC refused our credentials or told that the session is broken. */
export const REDIAL_SLOW_BASE_MS = 30_000;
export const REDIAL_SLOW_MAX_MS = 300_000;
/** After ESME_RALYBND: a stale session of ours at the SMSC times out by itself. */
export const REDIAL_BOUND_BASE_MS = 5_000;
/**
 * A session that was bound for so long has proven itself: the next redial starts at the base again.
 */
export const STABLE_AFTER_MS = 10_000;
/** Dials per host, over all workers. */
export const DIAL_BURST = 8;
export const DIAL_INTERVAL_MS = 100;

/** Sessions close at so many unanswered submits, or at half a window. */
export const TOMBSTONES_MAX = 10;
/** Output of one session: so many buffers of so many bytes. */
export const WRITE_CHUNK_BYTES = 65_536;
export const WRITE_CHUNKS_MAX = 4;
/**
 * No submit_sm of ours is longer: 16 + 17 + 5 + 20 + 20 + 16 + 254, the TLVs of a profile and of
 * sar_*, 1024 + 16, and a message_payload, 4 + 10 · 160 · 2; rounded up.
 */
export const SUBMIT_BYTES_MAX = 5_120;
/** Room that submits leave in the output for enquire_link, responses and unbind. */
export const CONTROL_BYTES_RESERVED = 4_096;

/** Bytes of a message slot; longer ACCEPT records get an array of their own. */
export const BODY_SLOT_BYTES = 576;
/** Start of the ACCEPT in its slot; before it, what a PDU needs beside the record's own texts. */
export const BODY_RECORD_OFFSET = 64;

/**
 * Messages that a producer may have waiting here, per pool and priority: what the pool sends in 20
 * ms, but no more than some windows. The worker's own turns and priorities go over all of them.
 */
export const ALLOWANCE_WINDOWS = 4;
export const ALLOWANCE_MIN = 16;
export const ALLOWANCE_MAX = 2_048;
export const ALLOWANCE_HORIZON_MS = 20;
/**
 * SENDING records are staged for what a link's pace frees within one and a half times as long as a
 * commit takes here, within these bounds.
 */
export const PREPARE_HORIZON_MIN_MS = 5;
export const PREPARE_HORIZON_MAX_MS = 100;
export const PREPARE_HORIZON_COMMITS = 1.5;
/** Segments prepared, and records taken from submit rings, in one turn. */
export const PREPARED_PER_TURN_MAX = 2_048;
export const TAKEN_PER_TURN_MAX = 1_024;
/** Segments that one session writes in one turn. */
export const WRITTEN_PER_TURN_MAX = 4_096;
/** Sessions of a pool that share what there is in one turn message by message. */
export const SESSIONS_INTERLEAVED_MAX = 4;
/** With more of them, messages of one turn that a session takes before the next one is picked. */
export const SESSION_RUN_MAX = 32;
/** Every so many picks the lowest waiting priority comes first. */
export const STARVATION_PICKS = 16;
/** Expired messages are looked for in waiting queues this often. */
export const EXPIRY_SWEEP_MS = 1_000;
/** validity_period given to the SMSC is at most this: operators cap it about here anyway. */
export const VALIDITY_MAX_MS = 48 * 3_600_000;

/**
 * Last attempt number (the record's field is a u8), and most that `attempts_max` may be. What is
 * throttled or was never written goes on under this number until its validity ends.
 */
export const ATTEMPT_MAX = 250;
/** Refused for now: again after 5 s, 10 s, … 5 min, ± 20 %. */
export const RETRY_BASE_MS = 5_000;
export const RETRY_MAX_MS = 300_000;
export const RETRY_JITTER = 0.2;

/**
 * Segments leave at this share of what the contract's tokens allow: so many of a second's gaps
 * close in each second (pace.ts).
 */
export const PACE_OF_CONTRACT = 0.998;
/**
 * What is overdue is made up, but no more than this: it goes out at once, and whoever comes in the
 * gap that it leaves in later seconds waits.
 */
export const PACE_LATE_MS = 10;
/** Free words of contract tokens are looked for this often (limit/contract.ts). */
export const FREE_RESTED_EVERY_MS = 600_000;

/** Adaptive pace: halved at most this often when most is throttled. */
export const PACE_CUT_INTERVAL_MS = 200;
/** … and less than halved this often when more than PACE_RAISE_PER_S is. */
export const PACE_JUDGE_MS = 1_000;
/** It is raised this often, by 5 % of the contract a second. */
export const PACE_RAISE_INTERVAL_MS = 200;
export const PACE_RAISE_PER_S = 0.05;
/** No raise so shortly after most was throttled, and the response time on top, up to the second. */
export const PACE_HOLD_MS = 1_000;
export const PACE_HOLD_MAX_MS = 5_000;
export const PACE_MIN_MILLI = 1_000;
/** At this pace, or a tenth of the contract, one throttled answer tells of a storm. */
export const PACE_SLOWEST_MILLI = 5_000;
/** The rate of an unlimited link is measured over such slices. */
export const MEASURE_SLICE_MS = 1_000;

/** Unit of weight[worker][pool]: one whole link of weight 1. */
export const WEIGHT_SCALE = 1_000;
/** Malformed PDUs of one connection that are logged; the rest is only counted. */
export const ANOMALIES_LOGGED_MAX = 3;
/** How often a worker shows how much waits in its queues, and since when. */
export const SHOW_INTERVAL_MS = 100;
