/**
 * Configuration keys of the node itself and of everything that faces clients. Pure data.
 */
import { KEY_SET_BYTES_MAX } from "./key-set.ts";
import {
  block,
  blockOrNull,
  bool,
  fileOrNull,
  int,
  intOrAuto,
  intOrNull,
  items,
  oneOf,
  path,
  secretFileOrNull,
  someOf,
  string,
  stringOrNull,
  strings,
  stringsOrNull,
} from "./spec.ts";

/** Greatest rate that may be written, in segments per second. */
export const RATE_TPS_MAX = 1_000_000;
/** The largest number of segments one message may have: the least burst that can pass each one. */
export const MESSAGE_PARTS_MAX = 10;
/** Ids are kept as signed 32-bit words in records and tables. */
export const ID_MAX = 2_147_483_647;

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * A fresh TLS block; `built` belongs to the place where it stands. `isReread`: a reload takes other
 * contents of its files.
 */
export function tlsBlock(doc: string, built: boolean, isReread: boolean = false) {
  return blockOrNull(
    { doc, built },
    {
      cert_file: fileOrNull({ doc: "Certificate chain, PEM." }),
      key_file: secretFileOrNull({ doc: "Private key, PEM.", min: 1, max: 64 * KIB, isReread }),
      ca_file: fileOrNull({ doc: "Certificates that the other side must chain to, PEM." }),
    },
  );
}

const jwtKeys = {
  secret_file: secretFileOrNull({
    doc: "HS256 secret. Tokens signed with HS256 are accepted only with it.",
    min: 32,
    max: 4096,
  }),
  jwks_file: secretFileOrNull({
    doc: "Key set for RS256, ES256 and EdDSA; symmetric keys in it are refused.",
    min: 2,
    max: KEY_SET_BYTES_MAX,
  }),
  jwks_url: stringOrNull({
    doc: "Where to fetch that key set.",
    format: "key_set_url",
    max: 2048,
  }),
  issuer: stringOrNull({ doc: "Required `iss` claim; null: any.", format: "label", max: 255 }),
  audience: string({
    doc: "Required `aud` claim.",
    format: "label",
    max: 255,
    default: "smsgw",
  }),
  leeway_s: int({
    doc: "How far clocks may differ when `exp`, `nbf` and `iat` are checked.",
    unit: "s",
    min: 0,
    max: 300,
    default: 30,
  }),
};

export const NODE = block(
  { doc: "This gateway process." },
  {
    name: string({
      doc: "Name of the node; part of every message id and CDR file name.",
      format: "node_name",
      max: 31,
      default: "gw-1",
    }),
    region: string({ doc: "Shown in status and CDRs.", format: "word", max: 64, default: "local" }),
    data_dir: path({
      doc: "Journal, ledger and CDR files; one process at a time.",
      default: "./data",
    }),
    rate_tps: intOrNull({
      doc: "Most segments per second accepted over all apps.",
      unit: "segments/s",
      min: 0,
      max: RATE_TPS_MAX,
      reload: "live",
    }),
  },
);

export const HTTP = block(
  { doc: "The public HTTP listener." },
  {
    host: string({ doc: "Address to listen on.", format: "host", max: 253, default: "127.0.0.1" }),
    port: int({
      doc: "Port to listen on; 0 takes any free one.",
      min: 0,
      max: 65_535,
      default: 8080,
    }),
    threads: int({
      doc: "Ingress threads; each has its own listener on the port.",
      min: 1,
      max: 64,
      default: 1,
    }),
    connections_max: int({
      doc: "Client connections at once; lowered where `ulimit -n` leaves room for fewer.",
      min: 1,
      max: 1_000_000,
      default: 10_000,
    }),
    body_bytes_max: int({
      doc: "Largest body of a single message.",
      unit: "bytes",
      min: 1024,
      max: 16 * MIB,
      default: 64 * KIB,
    }),
    batch_bytes_max: int({
      doc: "Largest body of a batch.",
      unit: "bytes",
      min: 1024,
      max: 64 * MIB,
      default: 2 * MIB,
    }),
    stream_line_bytes_max: int({
      doc: "Longest line of a stream.",
      unit: "bytes",
      min: 1024,
      max: 16 * MIB,
      default: 64 * KIB,
    }),
    tls: tlsBlock(
      "TLS on the public listener, 1.2 or later; null: plain HTTP. SIGHUP reads the files anew.",
      true,
      true,
    ),
    proxy_protocol_from: strings({
      doc: "Trusted L4 balancers: their connections begin with a PROXY header, version 1 or 2.",
      format: "cidr",
      max: 64,
      default: [],
    }),
  },
);

export const GRPC = block(
  { doc: "The gRPC listener." },
  {
    enabled: bool({ doc: "Whether to listen.", default: false, built: [false] }),
    host: string({ doc: "Address to listen on.", format: "host", max: 253, default: "127.0.0.1" }),
    port: int({
      doc: "Port to listen on; 0 takes any free one.",
      min: 0,
      max: 65_535,
      default: 44_044,
    }),
    tls: tlsBlock("TLS on the gRPC listener; null: plain.", false),
  },
);

export const ADMIN = block(
  { doc: "Health, metrics and operator calls." },
  {
    host: string({
      doc: "Address to listen on; without a token it must be a loopback address.",
      format: "host",
      max: 253,
      default: "127.0.0.1",
    }),
    port: int({
      doc: "Port to listen on; 0 takes any free one.",
      min: 0,
      max: 65_535,
      default: 9090,
    }),
    token_file: secretFileOrNull({ doc: "Bearer token of the listener.", min: 16, max: 4096 }),
  },
);

export const WORKERS = block(
  { doc: "SMPP worker threads." },
  {
    count: intOrAuto({
      doc: "How many; `auto` is one less than the processors, at least 1, at most 16.",
      min: 1,
      max: 64,
      default: "auto",
    }),
  },
);

export const AUTH = block(
  { doc: "How clients prove who they are.", reload: "live" },
  { jwt: block({ doc: "Source of the keys that verify tokens." }, jwtKeys) },
);

export const APPS = items(
  {
    doc: "The client applications.",
    idKey: "id",
    required: true,
    countMax: 65_536,
    reload: "live",
  },
  block(
    { doc: "One client application." },
    {
      id: int({ doc: "Sent as `X-App-ID` and as claim `app_id`.", min: 1, max: ID_MAX }),
      name: string({ doc: "For people.", format: "label", max: 64 }),
      rate_tps: intOrNull({
        doc: "Most segments per second.",
        unit: "segments/s",
        min: 0,
        max: RATE_TPS_MAX,
      }),
      burst: int({
        doc: "Segments that may come at once; the longest message must fit.",
        unit: "segments",
        min: MESSAGE_PARTS_MAX,
        max: 4_000_000,
        default: 2000,
      }),
      ip_allow: stringsOrNull({
        doc: "Addresses that the app may call from; null: any.",
        format: "cidr",
        max: 256,
        default: ["127.0.0.0/8", "::1/128"],
      }),
      scopes: someOf(["send", "ops", "route:pin"], {
        doc: "What its tokens may be allowed; a token's own scopes are cut to these.",
        default: ["send"],
      }),
      policies: strings({
        doc: "Contact policies that it may choose from; the first is its default.",
        format: "word",
        min: 1,
        max: 64,
        default: ["default"],
      }),
      webhook_allow: strings({
        doc: "URL beginnings that a request's `webhook` may have.",
        format: "https_url",
        max: 64,
        default: [],
        built: false,
      }),
      jwt: blockOrNull({ doc: "A key source of its own, instead of `auth.jwt`." }, jwtKeys),
    },
  ),
);

export const LOG = block(
  { doc: "The log on standard output, one JSON line an event." },
  {
    level: oneOf(["trace", "debug", "info", "warn", "error", "fatal"], {
      doc: "Least level that is written.",
      default: "info",
    }),
    redact: bool({
      doc: "Mask numbers, in dumps of links as well; message text is never there.",
      default: true,
    }),
    archive: bool({
      doc: "Also keep it in `data_dir/log`, an hour a file, uploaded to `cdr.bucket` if any.",
      default: false,
    }),
    archive_bytes_max: int({
      doc: "Disk for compressed log files that wait; beyond it the oldest are dropped.",
      unit: "bytes",
      min: 1024 * 1024,
      max: 1024 ** 4,
      default: 1024 ** 3,
    }),
  },
);
