/**
 * Every counter and histogram of the gateway: one row here, one block of shared memory per thread,
 * one line in docs/METRICS.md and in /metrics. Adding a metric is adding a row.
 */
export interface MetricRow {
  /**
   * Name in Prometheus text, without the `smsgw_` prefix; counters end in `_total`, units come
   * last.
   */
  readonly name: string;
  readonly help: string;
}

/** Counters: only ever grow, per thread, summed when read. */
export const COUNTERS = {
  messagesAccepted: { name: "messages_accepted_total", help: "Messages answered with 202." },
  messagesRefused: { name: "messages_refused_total", help: "Messages refused before acceptance." },
  bytesCommitted: { name: "journal_committed_bytes_total", help: "Bytes the journal committed." },
  commits: { name: "journal_commits_total", help: "Commit blocks the journal wrote." },
  segmentsSent: { name: "segments_sent_total", help: "submit_sm PDUs written to sockets." },
  segmentsAccepted: { name: "segments_accepted_total", help: "Segments the SMSC accepted." },
  segmentsRejected: {
    name: "segments_rejected_total",
    help: "Segments the SMSC refused for good.",
  },
  segmentsRetried: { name: "segments_retried_total", help: "Segments refused for now." },
  segmentsThrottled: { name: "segments_throttled_total", help: "Throttling answers of SMSCs." },
  segmentsAmbiguous: {
    name: "segments_ambiguous_total",
    help: "Attempts that never got an answer.",
  },
  answersLate: {
    name: "answers_late_total",
    help: "Answers to attempts already recorded as ambiguous.",
  },
  answersUnmatched: {
    name: "answers_unmatched_total",
    help: "Answers to nothing that was in the window.",
  },
  receiptsReceived: { name: "receipts_received_total", help: "Delivery receipts received." },
  inboundRefused: {
    name: "inbound_refused_total",
    help: "deliver_sm that were no receipts, refused.",
  },
  messagesReturned: { name: "messages_returned_total", help: "Messages a worker could not place." },
  messagesConcluded: {
    name: "messages_concluded_total",
    help: "Messages the gateway itself ended.",
  },
  bindsSucceeded: { name: "binds_succeeded_total", help: "Successful binds." },
  bindsFailed: { name: "binds_failed_total", help: "Connection or bind attempts that failed." },
  sessionsLost: { name: "sessions_lost_total", help: "Bound sessions that ended unasked." },
  pduAnomalies: { name: "pdu_anomalies_total", help: "Malformed or unexpected PDUs received." },
  recordsApplied: { name: "ledger_records_applied_total", help: "Log records the ledger applied." },
  ledgerCommits: { name: "ledger_commits_total", help: "Transactions of the ledger's store." },
  bodiesMoved: {
    name: "ledger_bodies_moved_total",
    help: "Bodies of long waiting messages moved out of the log into the store.",
  },
  receiptsMatched: { name: "receipts_matched_total", help: "Receipts matched to their message." },
  receiptsParked: {
    name: "receipts_parked_total",
    help: "Receipts that came before their answer.",
  },
  receiptsUnmatched: { name: "receipts_unmatched_total", help: "Parked receipts given up." },
  cdrFilesMade: { name: "cdr_files_made_total", help: "CDR files made." },
  cdrRowsFiled: { name: "cdr_rows_filed_total", help: "CDR rows that have become part of a file." },
  cdrFileFailures: { name: "cdr_file_failures_total", help: "CDR files that could not be made." },
  cdrFilesUploaded: { name: "cdr_files_uploaded_total", help: "CDR files that are in the bucket." },
  cdrUploadFailures: {
    name: "cdr_upload_failures_total",
    help: "Uploads of CDR files that failed and are tried again.",
  },
  cdrUnconditionalPuts: {
    name: "cdr_unconditional_puts_total",
    help: "Files put into the bucket without a condition, since its service refuses them.",
  },
  idempotencyReplays: {
    name: "idempotency_replays_total",
    help: "Calls with a known Idempotency-Key that got the first answer again.",
  },
  idempotencyRunning: {
    name: "idempotency_running_total",
    help: "Calls refused because the first one with their key had no answer yet.",
  },
  idempotencyConflicts: {
    name: "idempotency_conflicts_total",
    help: "Calls refused because their key belongs to another request.",
  },
  idempotencyFull: {
    name: "idempotency_full_total",
    help: "Calls refused because their key had no room in memory.",
  },
  idempotencyKeysDropped: {
    name: "idempotency_keys_dropped_total",
    help: "Keys let go of before idempotency.ttl_h, to make room for others.",
  },
  refusalsUnrecorded: {
    name: "cdr_refusals_unrecorded_total",
    help: "Refusals beyond cdr.refusals_per_s_max: without a row.",
  },
} as const satisfies Record<string, MetricRow>;

/** Histograms of durations in milliseconds. */
export const HISTOGRAMS = {
  acceptLatency: { name: "accept_duration_ms", help: "Request complete to 202." },
  commitDuration: { name: "journal_commit_duration_ms", help: "Write and fdatasync of one block." },
  submitLatency: { name: "submit_duration_ms", help: "Acceptance to submit_sm written." },
  answerLatency: { name: "answer_duration_ms", help: "submit_sm written to submit_sm_resp." },
} as const satisfies Record<string, MetricRow>;

/** The one histogram with labels, by pool and priority. */
export const WAITS = {
  name: "queue_wait_ms",
  labels: ["pool", "priority"],
  help: "Acceptance, or send_at, to submit_sm written, by pool and priority; counts only, no sum.",
} as const;

export type CounterName = keyof typeof COUNTERS;
export type HistogramName = keyof typeof HISTOGRAMS;

/** A gauge: what `/metrics` reads out of shared memory at the moment it is asked. */
export interface GaugeRow extends MetricRow {
  readonly labels: readonly string[];
}

/** Gauges; some only grow, and are marked as counters by their name's end. */
export const GAUGES = {
  ready: { name: "ready", labels: [], help: "1 if the node takes traffic." },
  logOnDisk: {
    name: "journal_disk_bytes",
    labels: [],
    help: "Log on disk, removed segments aside.",
  },
  logMax: { name: "journal_max_bytes", labels: [], help: "journal.bytes_max." },
  logUnsynced: {
    name: "journal_unsynced_bytes",
    labels: [],
    help: "Committed and not yet known to survive power loss.",
  },
  shortOfSpace: {
    name: "journal_short_of_space",
    labels: [],
    help: "1 while no new segment can be made.",
  },
  storeFull: {
    name: "ledger_store_full",
    labels: [],
    help: "1 while the ledger's store finds no room on its disk.",
  },
  ledgerLag: {
    name: "ledger_lag_bytes",
    labels: [],
    help: "Committed, not applied by the ledger.",
  },
  ledgerUnflushed: {
    name: "ledger_unflushed_bytes",
    labels: [],
    help: "Applied by the ledger, not durable in its store.",
  },
  cdrStore: {
    name: "cdr_store_bytes",
    labels: [],
    help: "CDR rows in the ledger's store, not yet in files.",
  },
  cdrFiles: { name: "cdr_files", labels: [], help: "CDR files on disk." },
  cdrFileBytes: { name: "cdr_file_bytes", labels: [], help: "Their size." },
  cdrDiskMax: { name: "cdr_disk_max_bytes", labels: [], help: "cdr.disk_bytes_max." },
  cdrLevel: {
    name: "cdr_level",
    labels: [],
    help: "0; 1: 70 % of cdr.disk_bytes_max are used or spoken for; 2: 95 %, calls get 503.",
  },
  cdrOldest: {
    name: "cdr_oldest_file_age_seconds",
    labels: [],
    help: "Since when the oldest CDR file on disk is there; 0 for none.",
  },
  ledgerLagMax: {
    name: "ledger_lag_bytes_max",
    labels: [],
    help: "Ledger lag beyond which calls are refused.",
  },
  idempotencyKeys: { name: "idempotency_keys", labels: [], help: "Idempotency keys kept." },
  movedBodies: {
    name: "moved_body_bytes",
    labels: [],
    help: "Bodies of long waiting messages, moved out of the log.",
  },
  openMessages: { name: "open_messages", labels: [], help: "Messages without a final state." },
  openLife: {
    name: "open_life_bytes",
    labels: [],
    help: "Log that open messages may still need.",
  },
  waitingMessages: {
    name: "waiting_messages",
    labels: [],
    help: "Accepted messages that wait in ingress for a link.",
  },
  pendingCalls: {
    name: "pending_calls",
    labels: [],
    help: "HTTP calls that wait for their commit.",
  },
  credits: {
    name: "credits",
    labels: ["pool", "priority"],
    help: "Messages that workers would take from ingress now.",
  },
  poolWeight: {
    name: "pool_weight",
    labels: ["pool"],
    help: "Sum of the weights of a pool's available sessions; 0: its links are down.",
  },
  poolQueued: {
    name: "pool_queued_messages",
    labels: ["pool"],
    help: "Messages that wait for any link of the pool, in ingress and in workers.",
  },
  queueDepth: {
    name: "queue_messages",
    labels: ["pool", "priority"],
    help: "Messages that wait for any link of the pool; 3: otp, 2: transactional, 1: promotional.",
  },
  queueAge: {
    name: "queue_oldest_age_seconds",
    labels: ["pool", "priority"],
    help: "Since when the oldest of them could be sent: its acceptance or its send_at; 0 for none.",
  },
  linkUp: { name: "link_up", labels: ["link"], help: "1 if a session of the link is bound." },
  linkQueued: {
    name: "link_queued_messages",
    labels: ["link"],
    help: "Messages that wait for this link and no other.",
  },
  linkStalls: {
    name: "link_stalls_total",
    labels: ["link"],
    help: "Times that messages waited, the link could send, and nothing went for 10 s.",
  },
  linkRate: {
    name: "link_rate_segments_per_second",
    labels: ["link"],
    help: "Rate at which the link sends now: its contract, or the pace that throttling left.",
  },
  linkContract: {
    name: "link_contract_segments_per_second",
    labels: ["link"],
    help: "rate_tps of the link; absent if unlimited.",
  },
  linkPrepared: {
    name: "link_prepared_segments",
    labels: ["link"],
    help: "Segments with a SENDING record that are not written yet.",
  },
  linkWritten: {
    name: "link_written_segments_total",
    labels: ["link"],
    help: "Segments written to sockets of the link; wraps at 2^32.",
  },
  sessionState: {
    name: "session_state",
    labels: ["link", "session", "state"],
    help: "1 for the state that the session is in.",
  },
  sessionWindow: {
    name: "session_window_used",
    labels: ["link", "session"],
    help: "Submits without an answer.",
  },
  sessionWindowMax: {
    name: "session_window_max",
    labels: ["link", "session"],
    help: "window_max of the link.",
  },
  sessionLost: {
    name: "session_lost_total",
    labels: ["link", "session"],
    help: "Connections of the session that ended unasked; wraps at 2^32.",
  },
  sessionSent: {
    name: "session_sent_segments_total",
    labels: ["link", "session"],
    help: "Segments written; wraps at 2^32.",
  },
  sessionAnswers: {
    name: "session_answers_total",
    labels: ["link", "session", "answer"],
    help: "Segments by what became of them; refused: for now or for good. Wraps at 2^32.",
  },
  sessionReceipts: {
    name: "session_receipts_total",
    labels: ["link", "session"],
    help: "Delivery receipts that came in; wraps at 2^32.",
  },
  sessionBinds: {
    name: "session_binds_total",
    labels: ["link", "session"],
    help: "Successful binds since start.",
  },
  ringUsed: { name: "ring_used_bytes", labels: ["ring"], help: "Published and not yet freed." },
  ringSize: { name: "ring_size_bytes", labels: ["ring"], help: "Size of the ring." },
  resident: {
    name: "process_resident_memory_bytes",
    labels: [],
    help: "Resident memory, mapped files included.",
  },
  heap: {
    name: "process_heap_used_bytes",
    labels: [],
    help: "JavaScript heap of the main thread.",
  },
  external: {
    name: "process_external_memory_bytes",
    labels: [],
    help: "Memory of buffers that the main thread knows of.",
  },
  cpu: { name: "process_cpu_seconds_total", labels: [], help: "CPU time of all threads." },
  threadCpu: {
    name: "thread_cpu_seconds_total",
    labels: ["thread"],
    help:
      "CPU time of one thread; garbage collection and LMDB have threads of their own. Its rate " +
      "over that of messages_accepted_total is CPU a message.",
  },
  loopBusy: {
    name: "thread_loop_busy_seconds_total",
    labels: ["thread"],
    help:
      "Time in which the thread's event loop did not wait for events: its rate is the loop's " +
      "utilisation. The journal thread has no event loop.",
  },
} as const satisfies Record<string, GaugeRow>;

export type GaugeName = keyof typeof GAUGES;
