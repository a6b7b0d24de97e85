/**
 * Requests of a load: distinct messages, encoded once. Pure.
 */

const DISTINCT = 10_000;
/** First digits of destinations that no bench routes in a special way. */
export const PREFIX = "9989";

export interface RequestShape {
  readonly token: string;
  /** App of the token. */
  readonly appId: number;
  /** Destination of the i-th message. */
  readonly numberOf: (i: number) => string;
  /** Messages in a request: 1, or a batch. */
  readonly batch: number;
  /** Whether the operator is asked for receipts. */
  readonly hasReceipts: boolean;
}

/** 10,000 distinct messages of one segment, in as many requests as that takes. */
export function makeRequests(shape: RequestShape): Buffer[] {
  const { token, appId, numberOf, batch, hasReceipts } = shape;
  const count = Math.max(1, Math.floor(DISTINCT / batch));
  return Array.from({ length: count }, (_, request) => {
    const messages = Array.from({ length: batch }, (_each, k) =>
      messageText(request * batch + k, hasReceipts, numberOf),
    );
    const isBatch = batch > 1;
    const body = isBatch ? `{"messages":[${messages.join(",")}]}` : (messages[0] as string);
    return Buffer.from(
      `POST /v1/messages${isBatch ? ":batch" : ""} HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
        `Content-Type: application/json\r\nAuthorization: Bearer ${token}\r\n` +
        `X-App-ID: ${appId}\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  });
}

/** Distinct numbers that begin with `prefix`. */
export function numbersFrom(prefix: string): (i: number) => string {
  return (i) => `+${prefix}${String((i * 7919) % 100_000_000).padStart(8, "0")}`;
}

/** One message of the load as JSON. */
export function messageText(
  i: number,
  hasReceipts: boolean,
  numberOf: (i: number) => string = numbersFrom(PREFIX),
): string {
  const text = `Your order ${i} is on its way and arrives today between 14:00 and 16:00.`;
  const fields = `"to":"${numberOf(i)}","from":"MYBRAND","text":"${text}","reference":"order-${i}"`;
  return `{${fields}${hasReceipts ? "" : ',"dlr":"none"'}}`;
}
