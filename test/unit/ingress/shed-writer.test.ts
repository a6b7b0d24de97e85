import assert from "node:assert/strict";
import { test } from "node:test";
import { problemJson } from "../../../src/errors.ts";
import {
  type ShedCode,
  type ShedReason,
  ShedWriter,
} from "../../../src/ingress/http/shed-writer.ts";
import type { UwsResponse } from "../../../src/ingress/http/uws.ts";

const LIMIT = { scope: "app", rateTps: 10, burst: 20, left: 0.5 } as const;

/** What `writer` writes, as the bytes behind "HTTP/1.1 ". */
function written(writer: ShedWriter, code: ShedCode, reason: ShedReason): string {
  let text = "";
  const response = {
    onAborted: () => response,
    cork(write: () => void) {
      write();
      return response;
    },
    writeStatus(head: string) {
      text += head;
      return response;
    },
    tryEnd(body: Uint8Array, totalBytes: number): [boolean, boolean] {
      assert.equal(body.length, totalBytes);
      text += `\r\n\r\n${Buffer.from(body).toString()}`;
      return [true, true];
    },
  };
  writer.write(response as unknown as UwsResponse, code, reason, false);
  return text;
}

function overloaded(detail: string, retryAfterS: number): string {
  return (
    "503 Service Unavailable\r\nContent-Type: application/problem+json\r\n" +
    `Retry-After: ${retryAfterS}\r\n\r\n` +
    problemJson({ code: "overloaded", detail, retryAfterS })
  );
}

test("refusals that take turns each tell their own reason and time", () => {
  const writer = new ShedWriter();
  // More reasons than are kept, each with two times, and each of them again.
  for (let i = 0; i < 400; i++) {
    const reason = { detail: `reason ${i % 100}`, retryAfterS: 1 + (i % 2), limit: null };
    const text = written(writer, "overloaded", reason);
    assert.equal(text, overloaded(reason.detail, reason.retryAfterS));
    assert.equal(written(writer, "overloaded", reason), text, "the same again");
  }
});

test("an empty bucket is told as it is now, and only where a rate refuses", () => {
  const writer = new ShedWriter();
  const reason = { detail: "the app is over its rate", retryAfterS: 2, limit: LIMIT };
  const body = problemJson({ code: "rate-limited", detail: reason.detail, retryAfterS: 2 });
  const head =
    "429 Too Many Requests\r\nContent-Type: application/problem+json\r\nRetry-After: 2\r\n";
  for (const left of [0.5, 7.25]) {
    const limit = { ...LIMIT, left };
    const lines =
      'RateLimit-Policy: "segments";q=20;w=2\r\n' +
      `RateLimit: "segments";r=${Math.floor(left)};t=2`;
    const text = written(writer, "rate-limited", { ...reason, limit });
    assert.equal(text, `${head}${lines}\r\n\r\n${body}`);
  }
  // The outcome of the call before may still name its bucket.
  assert.equal(written(writer, "overloaded", reason), overloaded(reason.detail, 2));
});
