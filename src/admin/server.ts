/**
 * The admin listener: health, metrics and status for operators.
 *
 *   GET /healthz   the process serves                     no token
 *   GET /readyz    200 if it takes traffic, else 503      no token
 *   GET /openapi.json   description of all calls          no token
 *   GET /metrics   Prometheus text                        token, if one is configured
 *   GET /status    durability, log, links, books (JSON)   token, if one is configured
 *   GET /links/<id>/dump   its last PDUs, as pcap         token, if one is configured
 *
 * Main thread only.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { Listener } from "../ingress/http/listener.ts";
import { openapiJson } from "../ingress/openapi.ts";
import {
  JSON_MEDIA_TYPE,
  writeMethodRefusal,
  writeNoPath,
  writeProblem,
  writeReadiness,
  writeText,
} from "../ingress/http/reply.ts";
import type { Uws, UwsRequest, UwsResponse } from "../ingress/http/uws.ts";
import { PROMETHEUS_MEDIA_TYPE, prometheusText } from "../metrics/prometheus.ts";
import { LEDGER_LAG_BYTES_MAX, LogWord } from "../tables/log-table.ts";
import { readGauges, readWaits } from "./gauges.ts";
import { linkStatuses, poolStatuses } from "./link-status.ts";
import { PCAP_MEDIA_TYPE, pcapOf } from "./pcap.ts";
import type { AdminSources, LedgerStatusAnswer } from "./sources.ts";

const DUMP_PATH = "/links/:link/dump";
const PATHS = ["/healthz", "/readyz", "/metrics", "/status", "/openapi.json", DUMP_PATH] as const;

export class AdminServer {
  readonly #sources: AdminSources;
  readonly #listener: Listener;
  readonly #startedAtMs: number;

  constructor(uws: Uws, sources: AdminSources) {
    this.#sources = sources;
    this.#startedAtMs = sources.clock.monotonicMs();
    this.#listener = new Listener(uws);
    const { app } = this.#listener;
    const openapi = openapiJson();
    app
      .get("/healthz", (response) => writeText(response, JSON_MEDIA_TYPE, '{"status":"ok"}'))
      .get("/readyz", (response) => writeReadiness(response, sources.unreadiness()))
      .get("/openapi.json", (response) => writeText(response, JSON_MEDIA_TYPE, openapi))
      .get("/metrics", (response, request) => {
        if (this.#isAllowed(response, request)) this.#writeMetrics(response);
      })
      .get("/status", (response, request) => {
        if (this.#isAllowed(response, request)) this.#writeStatus(response);
      })
      .get(DUMP_PATH, (response, request) => {
        if (this.#isAllowed(response, request)) this.#writeDump(response, request);
      });
    for (const path of PATHS) {
      app.any(path, (response, request) => writeMethodRefusal(response, request, "GET"));
    }
    app.any("/*", writeNoPath);
  }

  /** Starts listening; returns the port. Throws if the address cannot be had. */
  listen(): number {
    const { host, port } = this.#sources.config.admin;
    return this.#listener.listen(host, port);
  }

  close(): void {
    this.#listener.close();
  }

  #isAllowed(response: UwsResponse, request: UwsRequest): boolean {
    const { token } = this.#sources.config.admin;
    if (token === null || isSame(request.getHeader("authorization"), `Bearer ${token}`))
      return true;
    writeProblem(response, { code: "unauthenticated", detail: "the admin token is needed" });
    return false;
  }

  #writeMetrics(response: UwsResponse): void {
    const text = prometheusText(
      this.#sources.blocks,
      readGauges(this.#sources),
      readWaits(this.#sources),
    );
    writeText(response, PROMETHEUS_MEDIA_TYPE, text);
  }

  #writeStatus(response: UwsResponse): void {
    let open = true;
    response.onAborted(() => {
      open = false;
    });
    this.#sources.ledgerStatus((ledger) => {
      if (open) writeText(response, JSON_MEDIA_TYPE, JSON.stringify(this.#status(ledger)));
    });
  }

  #writeDump(response: UwsResponse, request: UwsRequest): void {
    const id = Number(request.getParameter(0));
    const link = this.#sources.pools.links.find(({ config }) => config.id === id);
    if (link === undefined) {
      writeProblem(response, { code: "not-found", detail: "there is no such link" });
      return;
    }
    let open = true;
    response.onAborted(() => {
      open = false;
    });
    this.#sources.recordings(id, (recordings) => {
      if (open) writeText(response, PCAP_MEDIA_TYPE, pcapOf(recordings, link.config.port));
    });
  }

  #status(ledger: LedgerStatusAnswer): object {
    const sources = this.#sources;
    const { config, logTable } = sources;
    const missing = sources.unreadiness();
    const committed = logTable.load(LogWord.COMMITTED);
    const { books, ...ledgerRest } = ledgerParts(ledger);
    return {
      node: config.node.name,
      region: config.node.region,
      uptime_s: Math.floor((sources.clock.monotonicMs() - this.#startedAtMs) / 1000),
      ready: missing.length === 0,
      not_ready_because: missing,
      durability: config.journal.durability,
      configuration: sources.reload(),
      log: {
        committed,
        synced: logTable.load(LogWord.SYNCED),
        oldest: logTable.load(LogWord.OLDEST),
        on_disk_bytes: logTable.onDiskBytes(),
        moved_bytes: logTable.load(LogWord.MOVED_BYTES),
        bytes_max: config.journal.bytesMax,
        ledger_lag_bytes: Math.max(0, committed - logTable.load(LogWord.LEDGER_APPLIED)),
        ledger_lag_bytes_max: LEDGER_LAG_BYTES_MAX,
      },
      cdr: cdrStatus(sources),
      waiting_messages: sources.waitingMessages(),
      pending_calls: sources.pendingCalls(),
      open_messages: logTable.load(LogWord.OPEN_COUNT),
      links: linkStatuses(sources),
      pools: poolStatuses(sources),
      ledger: ledgerRest,
      books,
    };
  }
}

const CDR_LEVEL_NAMES = ["fine", "alarm", "full"] as const;

function cdrStatus({ config, logTable }: AdminSources): object | null {
  const { enabled, bucket, diskBytesMax } = config.cdr;
  if (!enabled) return null;
  const oldest = logTable.load(LogWord.CDR_OLDEST_AT);
  return {
    bucket,
    level: CDR_LEVEL_NAMES[logTable.load(LogWord.CDR_LEVEL)],
    store_bytes: logTable.load(LogWord.CDR_STORE_BYTES),
    files: logTable.load(LogWord.CDR_FILES),
    file_bytes: logTable.load(LogWord.CDR_FILE_BYTES),
    oldest_file_at: oldest === 0 ? null : new Date(oldest).toISOString(),
    disk_bytes_max: diskBytesMax,
  };
}

/** The ledger's status with its books apart; without an answer both say so. */
function ledgerParts(status: LedgerStatusAnswer): Readonly<Record<string, unknown>> & {
  readonly books: unknown;
} {
  if (status === null || status === "late") return { books: null, late: true };
  return { books: null, ...status };
}

/** Compares without telling by time how far two texts agree. */
function isSame(given: string, expected: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(given), hash(expected));
}
