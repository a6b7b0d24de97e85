/** The error table against the contract, and the bodies made from it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRORS, EXIT_CODES, GatewayError, POLICY_STATES } from "../../src/errors.ts";
import { problemJson, problemOf, problemType } from "../../src/errors.ts";
import type { ErrorCode } from "../../src/errors.ts";

test("codes answer with the statuses of the contract", () => {
  const rows = Object.entries(ERRORS).map(([code, row]) => [code, row.http, row.grpc, row.suffix]);
  assert.deepEqual(rows, [
    ["unauthenticated", 401, "UNAUTHENTICATED", "unauthenticated"],
    ["forbidden", 403, "PERMISSION_DENIED", "forbidden"],
    ["policy-blocked", 403, "PERMISSION_DENIED", "policy-blocked"],
    ["rate-limited", 429, "RESOURCE_EXHAUSTED", "rate-limited"],
    ["overloaded", 503, "UNAVAILABLE", "overloaded"],
    ["no-route", 422, "FAILED_PRECONDITION", "no-route"],
    ["invalid", 400, "INVALID_ARGUMENT", "invalid"],
    ["too-large", 413, "RESOURCE_EXHAUSTED", "too-large"],
    ["idempotency-running", 409, "ABORTED", "idempotency-conflict"],
    ["idempotency-conflict", 422, "ALREADY_EXISTS", "idempotency-conflict"],
    ["not-cancellable", 409, "FAILED_PRECONDITION", "not-cancellable"],
    ["not-found", 404, "NOT_FOUND", "not-found"],
    ["wrong-node", 421, "FAILED_PRECONDITION", "wrong-node"],
    ["cursor-expired", 410, "OUT_OF_RANGE", "cursor-expired"],
    ["method", 405, null, "method"],
    ["media-type", 415, null, "media-type"],
    ["internal", 500, "INTERNAL", "internal"],
  ]);
  assert.deepEqual(ERRORS.unauthenticated.headers, ["WWW-Authenticate"]);
  assert.deepEqual(ERRORS.method.headers, ["Allow"]);
  for (const code of ["rate-limited", "overloaded"] as const) {
    assert.ok(ERRORS[code].headers.some((name) => name === "Retry-After"));
    assert.ok(ERRORS[code].retryable);
    assert.equal(ERRORS[code].grpcDetail, "RetryInfo");
  }
  assert.deepEqual(POLICY_STATES.length, 6);
});

test("an error takes category and retryable from the table", () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const error = new GatewayError(code, "why");
    assert.equal(error.category, ERRORS[code].category);
    assert.equal(error.retryable, ERRORS[code].retryable);
    assert.ok(error instanceof Error);
  }
  const cause = new Error("disk");
  assert.equal(new GatewayError("overloaded", "full", { cause }).cause, cause);
});

test("a problem carries what its error has, and nothing undefined", () => {
  const errors = [{ pointer: "/to", detail: "not a number" }];
  assert.deepEqual(JSON.parse(problemJson(new GatewayError("invalid", "1 wrong", { errors }))), {
    type: "/problems/invalid",
    title: "Invalid request",
    status: 400,
    detail: "1 wrong",
    errors,
  });
  const retryAt = "2026-11-22T08:00:00Z";
  const blocked = problemOf({ code: "policy-blocked", detail: "d", state: "daily_cp", retryAt });
  assert.deepEqual([blocked.state, blocked.retry_at], ["daily_cp", retryAt]);
  assert.equal(problemOf({ code: "wrong-node", detail: "d", node: "gw-2" }).node, "gw-2");
  const plain = problemOf(new GatewayError("overloaded", "full", { retryAfterS: 3 }));
  assert.deepEqual(Object.keys(plain), ["type", "title", "status", "detail", "retry_after_s"]);
  assert.equal(problemType("idempotency-running"), problemType("idempotency-conflict"));
});

test("an internal error says its incident and nothing else", () => {
  const cause = new Error("/secret/path");
  const error = new GatewayError("internal", "at /secret/path", { cause, incident: "i-7" });
  assert.deepEqual(problemOf(error), {
    type: "/problems/internal",
    title: "Internal error",
    status: 500,
    incident: "i-7",
  });
});

test("exit codes are those of the contract", () => {
  const codes = Object.values(EXIT_CODES).map((exit) => exit.code);
  assert.deepEqual(codes, [0, 1, 2, 73, 75, 78]);
});
