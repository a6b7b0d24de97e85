/**
 * Configuration keys of the journal, the ledger and the stores behind them. Pure data.
 */
import {
  block,
  blockOrNull,
  bool,
  int,
  items,
  oneOf,
  secretFileOrNull,
  string,
  stringOrNull,
  strings,
} from "./spec.ts";
import { ID_MAX, tlsBlock } from "./table-front.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const TIB = 1024 * GIB;

export const JOURNAL = block(
  { doc: "The log that every accepted message is written to first." },
  {
    durability: oneOf(["disk", "process", "none"], {
      doc:
        "What 202 promises: `disk` survives power loss, `process` kill -9, `none` nothing: with " +
        "it no write to the log or the ledger's store is synced while the gateway runs, and " +
        "after a power loss `data_dir` may have to be thrown away.",
      default: "disk",
    }),
    commit_interval_us: int({
      doc:
        "While much is committed, a commit begins so long after the one before: fewer, larger " +
        "ones. A message that comes nearly alone does not wait. 0: never wait.",
      unit: "µs",
      min: 0,
      max: 100_000,
      default: 1000,
    }),
    segment_bytes: int({
      doc: "Size of one segment file.",
      unit: "bytes",
      min: 64 * KIB,
      max: GIB,
      default: 64 * MIB,
    }),
    bytes_max: int({
      doc:
        "Disk that accepted messages may take; beyond it 503. At least 4 segments. The last " +
        "eighth is for apps of which few messages wait.",
      unit: "bytes",
      min: 256 * KIB,
      max: 16 * TIB,
      default: 10 * GIB,
    }),
  },
);

export const LEDGER = block(
  { doc: "States, receipts and books of messages." },
  {
    retention_h: int({
      doc: "How long a message is kept after its final state.",
      unit: "h",
      min: 1,
      max: 8784,
      default: 24,
    }),
    bytes_max: int({
      doc: "Disk that it may take; beyond it the oldest final messages go first.",
      unit: "bytes",
      min: 16 * MIB,
      max: 16 * TIB,
      default: 20 * GIB,
    }),
    receipt_grace_s: int({
      doc: "How long after its validity a message waits for a receipt before it is `unknown`.",
      unit: "s",
      min: 0,
      max: 2_592_000,
      default: 86_400,
    }),
    dead_letter_texts: bool({
      doc: "Keep the text of a dead letter with it, for its replay; else it goes with the log.",
      default: true,
    }),
    events_ttl_h: int({
      doc: "How long an event is kept for those who read `GET /v1/events`.",
      unit: "h",
      min: 1,
      max: 8784,
      default: 72,
    }),
    events_max: int({
      doc: "Events kept per app; beyond it the oldest go first.",
      min: 1,
      max: 100_000_000,
      default: 1_000_000,
    }),
  },
);

export const IDEMPOTENCY = block(
  { doc: "Idempotency keys: a repeated call gets the answer of the first, and sends nothing." },
  {
    ttl_h: int({
      doc: "How long a key is kept after its message was accepted.",
      unit: "h",
      min: 1,
      max: 8784,
      default: 24,
    }),
    keys_max: int({
      doc: "Keys over all apps, about 55 bytes each; beyond it the app with most loses its oldest.",
      min: 1,
      max: 100_000_000,
      default: 1_000_000,
    }),
    app_keys_max: int({
      doc: "Keys per app; beyond it the app's oldest go first.",
      min: 1,
      max: 100_000_000,
      default: 500_000,
    }),
  },
);

export const AEROSPIKE = blockOrNull(
  { doc: "Write-behind copy of message states; null: none.", built: false },
  {
    hosts: strings({ doc: "Seed nodes.", format: "host_port", min: 1, max: 64 }),
    namespace: string({ doc: "Namespace.", format: "word", max: 31 }),
    user: stringOrNull({ doc: "User; null: no login.", format: "label", max: 63 }),
    password_file: secretFileOrNull({ doc: "Password of the user.", min: 1, max: 1024 }),
    tls: tlsBlock("TLS towards the cluster; null: plain.", true),
    ttl_h: int({ doc: "Life of a record.", unit: "h", min: 1, max: 87_600, default: 720 }),
  },
);

export const REDIS = blockOrNull(
  { doc: "Rates and contact counters shared by replicas; null: this node alone.", built: false },
  {
    mode: oneOf(["standalone", "sentinel", "cluster"], {
      doc: "How it is run.",
      default: "standalone",
    }),
    nodes: strings({ doc: "Nodes, sentinels or seeds.", format: "host_port", min: 1, max: 64 }),
    name: stringOrNull({ doc: "Name of the sentinels' master.", format: "label", max: 64 }),
    user: stringOrNull({ doc: "User; null: the default user.", format: "label", max: 64 }),
    password_file: secretFileOrNull({ doc: "Password of the user.", min: 1, max: 1024 }),
    tls: tlsBlock("TLS towards the nodes; null: plain.", true),
  },
);

export const S3 = blockOrNull(
  { doc: "Object store for CDRs and blacklists; null: none." },
  {
    endpoint: stringOrNull({
      doc: "Service address; null: that of the region at AWS.",
      format: "http_url",
      max: 2048,
    }),
    region: string({ doc: "Region.", format: "word", max: 64, default: "us-east-1" }),
    access_key_file: secretFileOrNull({
      doc: "Access key id; null: where AWS tools look (environment, profile, role).",
      min: 1,
      max: 256,
    }),
    secret_key_file: secretFileOrNull({ doc: "Secret access key.", min: 1, max: 256 }),
    path_style: bool({ doc: "Bucket in the path, not in the host name.", default: false }),
    checksum: oneOf(["when_supported", "when_required"], {
      doc: "When uploads carry checksums; older servers need `when_required`.",
      default: "when_supported",
    }),
  },
);

export const CDR = block(
  { doc: "Call detail records (docs/CDR.md)." },
  {
    enabled: bool({ doc: "Whether there are any.", default: true }),
    bucket: stringOrNull({
      doc: "Bucket for the files; null: they stay under `data_dir/cdr`.",
      format: "label",
      max: 63,
    }),
    prefix: string({
      doc: "Beginning of object names.",
      format: "key_prefix",
      min: 0,
      max: 512,
      default: "cdr/",
    }),
    format: oneOf(["ndjson", "parquet"], {
      doc: "Format of the files: gzip NDJSON or Parquet.",
      default: "ndjson",
    }),
    roll_interval_s: int({
      doc: "Oldest age of an open file.",
      unit: "s",
      min: 1,
      max: 86_400,
      default: 60,
    }),
    roll_bytes_max: int({
      doc: "Rows of a file, as the ledger keeps them; the file is usually a tenth of it.",
      unit: "bytes",
      min: 64 * KIB,
      max: 5 * GIB,
      default: 64 * MIB,
    }),
    disk_bytes_max: int({
      doc: "Disk that rows and files may take; alarm at 70 %, calls get 503 from 95 %.",
      unit: "bytes",
      min: MIB,
      max: 16 * TIB,
      default: 10 * GIB,
    }),
    refusals_per_s_max: int({
      doc: "Refused calls a second that get a row, per ingress thread; 0: none.",
      unit: "1/s",
      min: 0,
      max: 100_000,
      default: 0,
    }),
  },
);

export const WEBHOOKS = items(
  {
    doc: "Endpoints that are told about events.",
    idKey: null,
    required: false,
    countMax: 1024,
    built: false,
  },
  block(
    { doc: "One endpoint." },
    {
      app: int({ doc: "App whose events it gets.", min: 1, max: ID_MAX }),
      url: string({ doc: "Where to POST.", format: "http_url", max: 2048 }),
      secret_file: secretFileOrNull({ doc: "Signing secret, `whsec_…`.", min: 1, max: 256 }),
      types: strings({
        doc: "Event types; empty: all.",
        format: "event_type",
        max: 32,
        default: [],
      }),
      coalesce: bool({ doc: "Whether events may come as batches.", default: false }),
    },
  ),
);
