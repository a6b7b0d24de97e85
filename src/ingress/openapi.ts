/**
 * The OpenAPI 3.1 description of everything that is served, made from the tables; docs/openapi.json
 * is its text, and both listeners serve it.
 *
 * A test compares ROUTES with what the listeners really register. Pure.
 */
import { ERRORS, type ErrorCode } from "../errors.ts";
import { DEAD_REASONS, MESSAGE_CLASS_NAMES } from "../records/types.ts";
import { KEY_PATTERN } from "./admission/idempotency.ts";
import { PAGE_DEFAULT, PAGE_MAX, STATUS_WORDS } from "./calls/read-calls.ts";
import { problemResponses, schemaOf, SCHEMAS } from "./api-schemas.ts";

/** A parameter of the query, by its name. */
export interface QueryParameter {
  readonly description: string;
  readonly schema: object;
}

/** One call: a path as OpenAPI writes it, and what it takes and gives. */
export interface RouteRow {
  readonly method: "get" | "post" | "delete";
  readonly path: string;
  readonly summary: string;
  /** On which listener it is served. */
  readonly ports: readonly ("public" | "admin")[];
  /** Scope that the token needs; null: any token of the app; "none": no token. */
  readonly scope: string | null;
  readonly query?: Readonly<Record<string, QueryParameter>>;
  readonly body?: { readonly type: string; readonly schema: string };
  /** Status → media type and schema. */
  readonly answers: Readonly<Record<number, { readonly type: string; readonly schema?: string }>>;
  readonly errors: readonly ErrorCode[];
}

const JSON_TYPE = "application/json";
const NDJSON = "application/x-ndjson";
const BOTH = ["public", "admin"] as const;
const PUBLIC = ["public"] as const;
const ADMIN = ["admin"] as const;
const CALL_ERRORS = ["unauthenticated", "forbidden", "overloaded"] as const;
const BODY_ERRORS = [...CALL_ERRORS, "invalid", "too-large", "media-type"] as const;
const SEND_ERRORS = [...BODY_ERRORS, "no-route", "rate-limited"] as const;
const KEY_ERRORS = [...SEND_ERRORS, "idempotency-running", "idempotency-conflict"] as const;
const READ_ERRORS = [...CALL_ERRORS, "invalid"] as const;
const TEXT = { type: "string" };
const TIME = { type: "string", format: "date-time" };
const PAGE_QUERY = {
  after: { description: "Cursor of the page before.", schema: TEXT },
  limit: {
    description: "Entries of a page.",
    schema: { type: "integer", minimum: 1, maximum: PAGE_MAX, default: PAGE_DEFAULT },
  },
};
const DEAD_LETTER_QUERY = {
  app: { description: "Of this app.", schema: { type: "integer", minimum: 1 } },
  class: { description: "Of this class.", schema: { type: "string", enum: MESSAGE_CLASS_NAMES } },
  reason: { description: "Why it ended.", schema: { type: "string", enum: DEAD_REASONS } },
  since: { description: "Accepted from then on.", schema: TIME },
  until: { description: "Accepted before.", schema: TIME },
};
const MESSAGE_BODY = { type: JSON_TYPE, schema: "Message" };

/** Every call that is served. */
export const ROUTES: readonly RouteRow[] = [
  {
    method: "post",
    path: "/v1/messages",
    summary: "Send one message.",
    ports: PUBLIC,
    scope: "send",
    body: MESSAGE_BODY,
    answers: {
      200: { type: JSON_TYPE, schema: "MessageState" },
      202: { type: JSON_TYPE, schema: "Accepted" },
    },
    errors: KEY_ERRORS,
  },
  {
    method: "post",
    path: "/v1/messages:batch",
    summary: "Send up to 1,000 messages; if none is accepted, the first problem's status.",
    ports: PUBLIC,
    scope: "send",
    body: { type: JSON_TYPE, schema: "Batch" },
    answers: { 202: { type: JSON_TYPE, schema: "BatchAnswer" } },
    errors: KEY_ERRORS,
  },
  {
    method: "post",
    path: "/v1/messages:stream",
    summary: "Send messages line by line; each line is acknowledged by one, in order.",
    ports: PUBLIC,
    scope: "send",
    body: { type: NDJSON, schema: "Message" },
    answers: { 200: { type: NDJSON, schema: "StreamAcknowledgement" } },
    errors: [...CALL_ERRORS, "invalid", "media-type"],
  },
  {
    method: "post",
    path: "/v1/messages:preview",
    summary: "What a message would be and cost; sends and charges nothing.",
    ports: PUBLIC,
    scope: "send",
    body: MESSAGE_BODY,
    answers: { 200: { type: JSON_TYPE, schema: "Preview" } },
    errors: BODY_ERRORS,
  },
  {
    method: "get",
    path: "/v1/messages/{id}",
    summary: "State, parts and timeline of a message.",
    ports: PUBLIC,
    scope: null,
    answers: { 200: { type: JSON_TYPE, schema: "MessageState" } },
    errors: [...CALL_ERRORS, "not-found", "wrong-node"],
  },
  {
    method: "delete",
    path: "/v1/messages/{id}",
    summary: "Cancel a message that was not handed to an operator; answered when that is durable.",
    ports: PUBLIC,
    scope: "send",
    answers: { 200: { type: JSON_TYPE, schema: "Canceled" } },
    errors: [...CALL_ERRORS, "not-found", "wrong-node", "not-cancellable"],
  },
  {
    method: "get",
    path: "/v1/messages",
    summary: "A page of the app's messages, in order of acceptance.",
    ports: PUBLIC,
    scope: null,
    query: {
      reference: { description: "As sent.", schema: TEXT },
      to: { description: "As sent, with or without +.", schema: TEXT },
      status: { description: "As shown.", schema: { type: "string", enum: STATUS_WORDS } },
      since: { description: "Accepted from then on.", schema: TIME },
      until: { description: "Accepted before.", schema: TIME },
      ...PAGE_QUERY,
    },
    answers: { 200: { type: JSON_TYPE, schema: "List" } },
    errors: READ_ERRORS,
  },
  {
    method: "get",
    path: "/v1/events",
    summary: "What became of the app's messages, since a cursor.",
    ports: PUBLIC,
    scope: null,
    query: PAGE_QUERY,
    answers: { 200: { type: JSON_TYPE, schema: "List" } },
    errors: [...READ_ERRORS, "cursor-expired"],
  },
  {
    method: "get",
    path: "/v1/held",
    summary: "Ambiguous messages of all apps that wait for a decision.",
    ports: PUBLIC,
    scope: "ops",
    query: PAGE_QUERY,
    answers: { 200: { type: JSON_TYPE, schema: "List" } },
    errors: READ_ERRORS,
  },
  {
    method: "post",
    path: "/v1/held:resolve",
    summary: "Decide about held messages: send once more, or give up.",
    ports: PUBLIC,
    scope: "ops",
    body: { type: JSON_TYPE, schema: "Resolve" },
    answers: { 200: { type: JSON_TYPE, schema: "Resolved" } },
    errors: [...READ_ERRORS, "too-large"],
  },
  {
    method: "get",
    path: "/v1/deadletters",
    summary: "Messages of all apps that ended here, and may be sent anew.",
    ports: PUBLIC,
    scope: "ops",
    query: { ...DEAD_LETTER_QUERY, ...PAGE_QUERY },
    answers: { 200: { type: JSON_TYPE, schema: "List" } },
    errors: READ_ERRORS,
  },
  {
    method: "post",
    path: "/v1/deadletters:replay",
    summary: "Send dead letters anew, each as a new message.",
    ports: PUBLIC,
    scope: "ops",
    body: { type: JSON_TYPE, schema: "Replay" },
    answers: { 200: { type: JSON_TYPE, schema: "Replayed" } },
    errors: [...READ_ERRORS, "too-large"],
  },
  operators("/v1/links", "Links and their sessions as they are now.", "List"),
  operators("/v1/pools", "Pools and what of them can be used now.", "List"),
  plain("/healthz", "Whether the process serves.", BOTH, JSON_TYPE, "Status"),
  plain("/readyz", "Whether it takes traffic.", BOTH, JSON_TYPE, "Status", ["overloaded"]),
  plain("/openapi.json", "This description.", BOTH, JSON_TYPE),
  plain("/metrics", "Prometheus text.", ADMIN, "text/plain", undefined, ["unauthenticated"]),
  plain("/status", "Durability, log, links, books.", ADMIN, JSON_TYPE, undefined, [
    "unauthenticated",
  ]),
  plain(
    "/links/{link}/dump",
    "The last PDUs of a link's sessions, as pcap.",
    ADMIN,
    "application/vnd.tcpdump.pcap",
    undefined,
    ["unauthenticated", "not-found"],
  ),
];

function plain(
  path: string,
  summary: string,
  ports: RouteRow["ports"],
  type: string,
  schema?: string,
  errors: readonly ErrorCode[] = [],
): RouteRow {
  const answer = schema === undefined ? { type } : { type, schema };
  return { method: "get", path, summary, ports, scope: "none", answers: { 200: answer }, errors };
}

/** A call for tokens with the scope ops. */
function operators(path: string, summary: string, schema: string): RouteRow {
  const answers = { 200: { type: JSON_TYPE, schema } };
  return {
    method: "get",
    path,
    summary,
    ports: PUBLIC,
    scope: "ops",
    answers,
    errors: CALL_ERRORS,
  };
}

/** The description as JSON text, ending with a line feed. */
export function openapiJson(): string {
  return `${JSON.stringify(describe(), null, 2)}\n`;
}

function describe(): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of ROUTES) {
    const path = (paths[route.path] ??= {});
    path[route.method] = operationOf(route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "sms-gateway-proxy",
      version: "1",
      description: "Send SMS and follow them. Refusals are problem+json; see the responses.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: SCHEMAS,
      responses: problemResponses(),
      securitySchemes: {
        token: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
        adminToken: { type: "http", scheme: "bearer" },
      },
      parameters: {
        AppId: {
          name: "X-App-ID",
          in: "header",
          required: true,
          description: "Must equal the token's app_id.",
          schema: { type: "integer", minimum: 1 },
        },
        IdempotencyKey: {
          name: "Idempotency-Key",
          in: "header",
          description:
            "Repeated with the same body, the call gets the first answer; in a batch it counts " +
            "for each message by its place.",
          schema: { type: "string", pattern: KEY_PATTERN },
        },
        Prefer: {
          name: "Prefer",
          in: "header",
          description: "wait=N waits up to N seconds for the operator's answer (RFC 7240).",
          schema: { type: "string" },
        },
      },
    },
  };
}

function operationOf(route: RouteRow): object {
  const { summary, ports, body } = route;
  const isPublicCall = route.scope !== "none";
  const parameters = parametersOf(route);
  return {
    operationId: operationId(route),
    summary,
    description: `Served on the ${ports.join(" and the ")} port.`,
    ...(parameters.length === 0 ? {} : { parameters }),
    security: securityOf(route),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { [body.type]: { schema: schemaOf(body.schema) } },
          },
        }),
    responses: responsesOf(route),
    ...(isPublicCall && route.scope !== null ? { "x-scope": route.scope } : {}),
  };
}

function operationId({ method, path }: RouteRow): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== "" && word !== "v1");
  return [method, ...words].join("_");
}

function parametersOf(route: RouteRow): object[] {
  const parameters: object[] = [];
  if (route.scope !== "none") parameters.push({ $ref: "#/components/parameters/AppId" });
  if (200 in route.answers && 202 in route.answers) {
    parameters.push({ $ref: "#/components/parameters/Prefer" });
  }
  if (route.errors.includes("idempotency-running")) {
    parameters.push({ $ref: "#/components/parameters/IdempotencyKey" });
  }
  for (const [name, parameter] of Object.entries(route.query ?? {})) {
    parameters.push({ name, in: "query", ...parameter });
  }
  for (const [, name] of route.path.matchAll(/\{(\w+)\}/g)) {
    parameters.push({ name, in: "path", required: true, schema: { type: "string" } });
  }
  return parameters;
}

function securityOf({ scope, errors }: RouteRow): object[] {
  if (scope !== "none") return [{ token: [] }];
  return errors.includes("unauthenticated") ? [{ adminToken: [] }, {}] : [];
}

/** Answers by status; errors of one status share an entry. */
function responsesOf(route: RouteRow): object {
  const responses: Record<string, unknown> = {};
  for (const [status, { type, schema }] of Object.entries(route.answers)) {
    const content = schema === undefined ? {} : { schema: schemaOf(schema) };
    const description = STATUS_MEANINGS[status] ?? "Done.";
    responses[status] = { description, content: { [type]: content } };
  }
  for (const code of route.errors) {
    responses[String(ERRORS[code].http)] = { $ref: `#/components/responses/${code}` };
  }
  return responses;
}

const STATUS_MEANINGS: Readonly<Record<string, string>> = {
  200: "Here it is.",
  202: "Accepted: it is on disk and will be sent.",
};
