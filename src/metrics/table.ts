/**
 * Every counter and histogram of the gateway: one row here, one block of shared memory per thread, one line in
 * docs/METRICS.md and in /metrics. Adding a metric is adding a row.
 */
export interface MetricRow {
  /** Name in Prometheus text, without the `smsgw_` prefix; counters end in `_total`, units come last. */
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
  receiptsMatched: { name: "receipts_matched_total", help: "Receipts matched to their message." },
  receiptsParked: {
    name: "receipts_parked_total",
    help: "Receipts that came before their answer.",
  },
  receiptsUnmatched: { name: "receipts_unmatched_total", help: "Parked receipts given up." },
} as const satisfies Record<string, MetricRow>;

/** Histograms of durations in milliseconds. */
export const HISTOGRAMS = {
  acceptLatency: { name: "accept_duration_ms", help: "Request complete to 202." },
  commitDuration: { name: "journal_commit_duration_ms", help: "Write and fdatasync of one block." },
  submitLatency: { name: "submit_duration_ms", help: "Acceptance to submit_sm written." },
  answerLatency: { name: "answer_duration_ms", help: "submit_sm written to submit_sm_resp." },
} as const satisfies Record<string, MetricRow>;

export type CounterName = keyof typeof COUNTERS;
export type HistogramName = keyof typeof HISTOGRAMS;
