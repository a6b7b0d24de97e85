/**
 * The senders: messages of every class, priority and length at random times, each with a
 * destination of its own, and the log of what was promised to them. That log is the first witness
 * of a run.
 *
 * A refused message (429, 503) is tried again later a few times; one whose answer was lost in a
 * crash only if it has an idempotency key.
 */
import type { SeededRandom } from "./random.ts";
import { APP_IDS, ROUTES } from "./configuration.ts";

/** One message as its sender wants it. */
export interface PlannedMessage {
  readonly index: number;
  readonly atMs: number;
  readonly appId: number;
  /** The request's body. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly to: string;
  readonly text: string;
  readonly messageClass: string;
  readonly dlr: string;
  /** How long after its call it is to be sent (`send_at`), in ms; 0: at once. */
  readonly sendInMs: number;
  /** How long after its 202 its sender cancels it, in ms; 0: never. */
  readonly cancelInMs: number;
  /** Messages of the same batch go in one call; -1: alone. */
  readonly batch: number;
  /** Its sender's idempotency key; empty: none. With one, what got no answer is sent again. */
  readonly idempotencyKey: string;
  /** When its sender repeats its call, in ms after the first; 0: only if it gets no answer. */
  readonly repeatInMs: number;
  /** The request as it was sent first. */
  request: Readonly<Record<string, unknown>> | null;
  tries: number;
}

/** A 202 that reached its sender. */
export interface Promised {
  readonly message: PlannedMessage;
  readonly id: string;
  readonly atMs: number;
}

const CLASSES = ["otp", "transactional", "promotional"] as const;
const WORDS = ["code", "order", "hello", "sale", "tomorrow", "gate", "number", "ready", "late"];
const CYRILLIC = ["код", "заказ", "привет", "скидка", "завтра"];

/** How a run's traffic is spread, and how long its messages are valid, in seconds. */
export interface TrafficShape {
  readonly count: number;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly ttlS: readonly [number, number];
}

/** Messages in order of time: calm stretches and bursts, some of these as batches. */
export function planTraffic(random: SeededRandom, shape: TrafficShape): PlannedMessage[] {
  const { count, fromMs, untilMs, ttlS } = shape;
  const times: { readonly atMs: number; readonly batch: number }[] = [];
  for (let burst = 0; times.length < count; burst++) {
    const atMs = random.float(fromMs, untilMs);
    const size = random.chance(0.05) ? random.between(5, 60) : 1;
    const isBatch = size > 1 && random.chance(0.4);
    for (let i = 0; i < size && times.length < count; i++) {
      times.push({ atMs: atMs + i * 0.05, batch: isBatch ? burst : -1 });
    }
  }
  times.sort((a, b) => a.atMs - b.atMs);
  return times.map(({ atMs, batch }, index) => planMessage(random, index, atMs, batch, ttlS));
}

function planMessage(
  random: SeededRandom,
  index: number,
  atMs: number,
  batch: number,
  ttlRangeS: readonly [number, number],
): PlannedMessage {
  const route = ROUTES[random.weighted([6, 3, 2])] as (typeof ROUTES)[number];
  const to = route.prefix + String(index).padStart(7, "0");
  const messageClass = CLASSES[random.weighted([2, 5, 3])] as string;
  const dlr = ["final", "none", "all"][random.weighted([7, 2, 1])] as string;
  const text = drawText(random, index);
  const ttlS = random.chance(0.08) ? random.between(1, 4) : random.between(...ttlRangeS);
  const body: Record<string, unknown> = {
    to: random.chance(0.5) ? `+${to}` : to,
    from: random.pick(["SIM", "4040", "998901112233"]),
    text,
    class: messageClass,
    dlr,
    ttl_s: ttlS,
  };
  if (random.chance(0.2)) body["priority"] = random.between(0, 1);
  if (random.chance(0.3)) body["reference"] = `ref-${index}`;
  const sendInMs = random.chance(0.1) ? random.between(1, 15_000) : 0;
  const isCanceled = random.chance(sendInMs > 0 ? 0.5 : 0.1);
  const cancelInMs = isCanceled ? 1 + random.pick([0, 20, 2000, 15_000]) * random.next() : 0;
  const drawn = random.weighted([3, 1]);
  const isKeyed = random.chance(0.3);
  const isRepeated = isKeyed && random.chance(0.4);
  return {
    index,
    atMs,
    // A call has one app.
    appId: APP_IDS[batch < 0 ? drawn : batch % APP_IDS.length] as number,
    body,
    to,
    text,
    messageClass,
    dlr,
    sendInMs,
    cancelInMs,
    batch,
    idempotencyKey: isKeyed ? `key-${index}` : "",
    repeatInMs: isRepeated ? 0.01 + random.pick([0, 5, 500, 10_000]) * random.next() : 0,
    request: null,
    tries: 0,
  };
}

function drawText(random: SeededRandom, index: number): string {
  const words = random.chance(0.2) ? CYRILLIC : WORDS;
  const wanted = random.pick([1, 3, 5, 12, random.between(20, 70)]);
  let text = `m${index}`;
  for (let i = 0; i < wanted; i++) text += ` ${random.pick(words)}`;
  if (random.chance(0.1)) text += " {€}";
  return text;
}
