/**
 * The configuration as the rest of the program sees it: the keys of the table in camelCase, all
 * defaults filled in, paths absolute, secrets read, deeply frozen.
 *
 * parse.ts asserts at compile time that these types and the table describe the same keys.
 * Plain data: it may be cloned into worker threads.
 */

import type { ProfileConfig } from "./profile-types.ts";

/** Address ranges in CIDR notation, v4 or v6. */
export type CidrList = readonly string[];

export interface GatewayConfig {
  readonly node: NodeConfig;
  readonly http: HttpConfig;
  readonly grpc: GrpcConfig;
  readonly admin: AdminConfig;
  readonly workers: { readonly count: number | "auto" };
  readonly auth: { readonly jwt: JwtConfig };
  readonly apps: readonly AppConfig[];
  /** By name; `default` always exists. */
  readonly profiles: Readonly<Record<string, ProfileConfig>>;
  readonly links: readonly LinkConfig[];
  readonly pools: readonly PoolConfig[];
  readonly routes: readonly RouteConfig[];
  readonly journal: JournalConfig;
  readonly ledger: LedgerConfig;
  readonly idempotency: IdempotencyConfig;
  readonly aerospike: AerospikeConfig | null;
  readonly redis: RedisConfig | null;
  readonly limits: { readonly replicasMax: number | null; readonly forgetS: number };
  readonly policy: PolicyConfig;
  readonly s3: S3Config | null;
  readonly cdr: CdrConfig;
  readonly webhooks: readonly WebhookConfig[];
  readonly log: LogConfig;
}

export interface LogConfig {
  readonly level: LogLevel;
  readonly redact: boolean;
  readonly archive: boolean;
  readonly archiveBytesMax: number;
}

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

export interface NodeConfig {
  readonly name: string;
  readonly region: string;
  /** Absolute. */
  readonly dataDir: string;
  /** Segments per second over all apps; null is unlimited, 0 is closed. */
  readonly rateTps: number | null;
}

export interface TlsConfig {
  readonly certFile: string | null;
  readonly keyFile: string | null;
  /** Content of keyFile. */
  readonly key: string | null;
  readonly caFile: string | null;
}

export interface HttpConfig {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly threads: number;
  readonly connectionsMax: number;
  readonly bodyBytesMax: number;
  readonly batchBytesMax: number;
  readonly streamLineBytesMax: number;
  readonly tls: TlsConfig | null;
  readonly proxyProtocolFrom: CidrList;
}

export interface GrpcConfig {
  readonly enabled: boolean;
  readonly host: string;
  readonly port: number;
  readonly tls: TlsConfig | null;
}

export interface AdminConfig {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly tokenFile: string | null;
  /** Content of tokenFile; null only where host is a loopback address. */
  readonly token: string | null;
}

export interface JwtConfig {
  readonly secretFile: string | null;
  /** HS256 secret, UTF-8, at least 32 bytes. */
  readonly secret: string | null;
  readonly jwksFile: string | null;
  /** Content of jwksFile: a key set that parseKeySet takes. */
  readonly jwks: string | null;
  readonly jwksUrl: string | null;
  readonly issuer: string | null;
  readonly audience: string;
  readonly leewayS: number;
}

export type Scope = "send" | "ops" | "route:pin";

export interface AppConfig {
  readonly id: number;
  readonly name: string;
  /** Segments per second; null is unlimited, 0 is closed. */
  readonly rateTps: number | null;
  /** Segments. */
  readonly burst: number;
  /** null: from anywhere. */
  readonly ipAllow: CidrList | null;
  readonly scopes: readonly Scope[];
  readonly policies: readonly string[];
  readonly webhookAllow: readonly string[];
  readonly jwt: JwtConfig | null;
}

export type AmbiguousPolicy = "resend" | "hold" | "fail" | "by_class";
export type BindMode = "transceiver" | "transmitter_receiver";

/** TLS towards an SMSC. */
export interface LinkTlsConfig {
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
  /** Content of keyFile. */
  readonly key: string | null;
  readonly serverName: string | null;
  readonly verify: boolean;
}

export interface LinkConfig {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly tls: LinkTlsConfig | null;
  readonly systemId: string;
  readonly passwordFile: string | null;
  /** Content of passwordFile; null binds with an empty password. */
  readonly password: string | null;
  readonly bind: BindMode;
  readonly sessions: number;
  readonly windowMax: number;
  /** Segments in any half-open second, over all sessions; null is unlimited, 0 is closed. */
  readonly rateTps: number | null;
  /** Ids of apps that may use the link; null: all. */
  readonly apps: readonly number[] | null;
  readonly ipAllow: CidrList | null;
  readonly enquireLinkIntervalMs: number;
  readonly responseTimeoutMs: number;
  /** Name of one of `profiles`. */
  readonly profile: string;
  readonly ambiguous: AmbiguousPolicy;
}

export interface PoolMember {
  readonly link: number;
  readonly weight: number;
}

export interface PoolConfig {
  readonly id: number;
  readonly name: string;
  readonly members: readonly PoolMember[];
}

export interface RouteConfig {
  /** Digits; the empty prefix matches every number. */
  readonly prefix: string;
  /** Id of a pool or of a link. */
  readonly to: number;
}

export type Durability = "disk" | "process" | "none";

export interface JournalConfig {
  readonly durability: Durability;
  readonly commitIntervalUs: number;
  readonly segmentBytes: number;
  readonly bytesMax: number;
}

export interface LedgerConfig {
  readonly retentionH: number;
  readonly bytesMax: number;
  readonly receiptGraceS: number;
  readonly deadLetterTexts: boolean;
  readonly eventsTtlH: number;
  readonly eventsMax: number;
}

export interface IdempotencyConfig {
  readonly ttlH: number;
  readonly keysMax: number;
  readonly appKeysMax: number;
}

export interface AerospikeConfig {
  readonly hosts: readonly string[];
  readonly namespace: string;
  readonly user: string | null;
  readonly passwordFile: string | null;
  readonly password: string | null;
  readonly tls: TlsConfig | null;
  readonly ttlH: number;
}

export interface RedisConfig {
  readonly mode: "standalone" | "sentinel" | "cluster";
  readonly nodes: readonly string[];
  readonly name: string | null;
  readonly user: string | null;
  readonly passwordFile: string | null;
  readonly password: string | null;
  readonly tls: TlsConfig | null;
}

export interface QuietHours {
  /** HH:MM in `zone`. */
  readonly from: string;
  readonly until: string;
  /** IANA time zone. */
  readonly zone: string;
}

export interface PolicyRules {
  readonly dailyMax: number | null;
  readonly weeklyMax: number | null;
  readonly dedupWindowS: number | null;
  readonly blacklists: readonly string[];
  readonly quietHours: QuietHours | null;
}

export interface PolicyList {
  readonly source: string;
  readonly pollS: number;
}

export interface PolicyConfig {
  readonly mode: "embedded" | "mcp";
  readonly mcpUrl: string | null;
  readonly mcpTokenFile: string | null;
  readonly mcpToken: string | null;
  readonly budgetMs: number;
  /** By name; `default` always exists. */
  readonly policies: Readonly<Record<string, PolicyRules>>;
  readonly lists: Readonly<Record<string, PolicyList>>;
}

export interface S3Config {
  readonly endpoint: string | null;
  readonly region: string;
  readonly accessKeyFile: string | null;
  readonly accessKey: string | null;
  readonly secretKeyFile: string | null;
  readonly secretKey: string | null;
  readonly pathStyle: boolean;
  readonly checksum: "when_supported" | "when_required";
}

export interface CdrConfig {
  readonly enabled: boolean;
  readonly bucket: string | null;
  readonly prefix: string;
  readonly format: "ndjson" | "parquet";
  readonly rollIntervalS: number;
  readonly rollBytesMax: number;
  readonly diskBytesMax: number;
  readonly refusalsPerSMax: number;
}

export interface WebhookConfig {
  readonly app: number;
  readonly url: string;
  readonly secretFile: string | null;
  readonly secret: string | null;
  readonly types: readonly string[];
  readonly coalesce: boolean;
}
