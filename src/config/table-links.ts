/**
 * Configuration keys of operator links, pools, routes and limits. Pure data.
 */
import {
  block,
  blockOrNull,
  bool,
  fileOrNull,
  idsOrNull,
  int,
  intOrNull,
  items,
  oneOf,
  secretFileOrNull,
  string,
  stringOrNull,
  stringsOrNull,
} from "./spec.ts";
import { ID_MAX, RATE_TPS_MAX } from "./table-front.ts";

/** A client's TLS: whom to trust, and who we are. */
const LINK_TLS = blockOrNull(
  { doc: "TLS towards the SMSC; null: plain TCP." },
  {
    ca_file: fileOrNull({
      doc: "Authorities that the SMSC's certificate must chain to, PEM; null: the public ones.",
    }),
    cert_file: fileOrNull({ doc: "Our certificate chain, PEM, if the SMSC asks for one." }),
    key_file: secretFileOrNull({
      doc: "Private key of `cert_file`, PEM.",
      min: 1,
      max: 65_536,
    }),
    server_name: stringOrNull({
      doc: "Name that the SMSC's certificate must carry; null: `host`.",
      format: "host",
      max: 253,
    }),
    verify: bool({
      doc: "Check the SMSC's certificate. Without it anybody between may read and change messages.",
      default: true,
    }),
  },
);

export const LINKS = items(
  {
    doc: "Accounts at operators' SMSCs.",
    idKey: "id",
    required: true,
    countMax: 1024,
    reload: "live",
  },
  block(
    { doc: "One account at one SMSC." },
    {
      id: int({
        doc: "Number of the link; links and pools share one space of ids.",
        min: 1,
        max: ID_MAX,
      }),
      host: string({ doc: "Address or name of the SMSC.", format: "host", max: 253 }),
      port: int({ doc: "Port of the SMSC.", min: 1, max: 65_535, default: 2775 }),
      tls: LINK_TLS,
      system_id: string({ doc: "Account name at the SMSC.", format: "system_id", max: 15 }),
      password_file: secretFileOrNull({
        doc: "Password of the account (SMPP v3.4 has room for 8 characters); null: empty.",
        min: 0,
        max: 64,
      }),
      bind: oneOf(["transceiver", "transmitter_receiver"], {
        doc:
          "One connection a session for both ways, or a pair. " +
          "A transceiver becomes a pair by itself if the SMSC does not know it.",
        default: "transceiver",
      }),
      sessions: int({ doc: "Binds held, spread over the workers.", min: 1, max: 64, default: 2 }),
      window_max: int({
        doc: "Unanswered requests of one session.",
        unit: "PDUs",
        min: 1,
        max: 10_000,
        default: 100,
      }),
      rate_tps: intOrNull({
        doc: "Contracted rate: most segments in any half-open second, over all sessions.",
        unit: "segments/s",
        min: 0,
        max: RATE_TPS_MAX,
      }),
      apps: idsOrNull({ doc: "Apps that may use it; null: all.", max: 1024 }),
      ip_allow: stringsOrNull({
        doc: "Client addresses that may use it; null: all.",
        format: "cidr",
        max: 256,
        default: null,
      }),
      enquire_link_interval_ms: int({
        doc: "Silence after which the link is probed.",
        unit: "ms",
        min: 100,
        max: 3_600_000,
        default: 30_000,
      }),
      response_timeout_ms: int({
        doc: "Longest wait for an answer, from the write to the socket.",
        unit: "ms",
        min: 100,
        max: 600_000,
        default: 30_000,
      }),
      profile: string({
        doc: "Name of its profile under `profiles`.",
        format: "word",
        max: 64,
        default: "default",
      }),
      ambiguous: oneOf(["resend", "hold", "fail", "by_class"], {
        doc: "What becomes of segments that were written and never answered.",
        default: "by_class",
      }),
    },
  ),
);

export const POOLS = items(
  {
    doc: "Weighted groups of links.",
    idKey: "id",
    required: false,
    countMax: 1024,
    reload: "live",
  },
  block(
    {
      doc: "One group; members share `apps`, `ip_allow`, and their profiles' texts and senders.",
    },
    {
      id: int({ doc: "Number of the pool; no link has it.", min: 1, max: ID_MAX }),
      name: string({ doc: "For people.", format: "label", max: 64 }),
      members: items(
        { doc: "Its links.", idKey: "link", required: true, countMax: 64 },
        block(
          { doc: "One link of the pool." },
          {
            link: int({ doc: "Id of the link.", min: 1, max: ID_MAX }),
            weight: int({
              doc: "Share of the traffic, relative to the other members.",
              min: 1,
              max: 1000,
              default: 1,
            }),
          },
        ),
      ),
    },
  ),
);

export const ROUTES = items(
  {
    doc: "Which numbers go where: the longest matching prefix decides.",
    idKey: "prefix",
    required: true,
    countMax: 100_000,
    reload: "live",
  },
  block(
    { doc: "One prefix." },
    {
      prefix: string({
        doc: "First digits of the destination, without +; quote it.",
        format: "prefix",
        min: 0,
        max: 15,
      }),
      to: int({ doc: "Id of a pool or of a link.", min: 1, max: ID_MAX }),
    },
  ),
);

export const LIMITS = block(
  { doc: "Rates over several replicas.", reload: "live" },
  {
    replicas_max: intOrNull({
      doc: "Most replicas that share the rates; required with `redis`.",
      min: 1,
      max: 1000,
      built: false,
    }),
    forget_s: int({
      doc: "How long a silent replica's share stays reserved.",
      unit: "s",
      min: 1,
      max: 3600,
      default: 30,
    }),
  },
);
