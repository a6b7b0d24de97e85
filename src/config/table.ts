/**
 * The one table of configuration: every key with its type, unit, default, bounds, whether a reload
 * changes it live, whether it is secret, whether its feature is built, and a sentence about it.
 *
 * Validation, docs/CONFIG.md, the JSON Schema and the output of check-config are read off it.
 * Pure data; a key that is not here does not exist.
 */
import { block } from "./spec.ts";
import { ADMIN, APPS, AUTH, GRPC, HTTP, LOG, NODE, WORKERS } from "./table-front.ts";
import { LIMITS, LINKS, POOLS, ROUTES } from "./table-links.ts";
import { POLICY } from "./table-policy.ts";
import { PROFILES } from "./table-profiles.ts";
import {
  AEROSPIKE,
  CDR,
  IDEMPOTENCY,
  JOURNAL,
  LEDGER,
  REDIS,
  S3,
  WEBHOOKS,
} from "./table-stores.ts";

export const TABLE = block(
  { doc: "The whole file.", reload: "restart" },
  {
    node: NODE,
    http: HTTP,
    grpc: GRPC,
    admin: ADMIN,
    workers: WORKERS,
    auth: AUTH,
    apps: APPS,
    profiles: PROFILES,
    links: LINKS,
    pools: POOLS,
    routes: ROUTES,
    journal: JOURNAL,
    ledger: LEDGER,
    idempotency: IDEMPOTENCY,
    aerospike: AEROSPIKE,
    redis: REDIS,
    limits: LIMITS,
    policy: POLICY,
    s3: S3,
    cdr: CDR,
    webhooks: WEBHOOKS,
    log: LOG,
  },
);
