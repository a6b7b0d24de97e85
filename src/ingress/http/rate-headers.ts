/**
 * RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10): what an app may send,
 * and what of it is left.
 *
 *   RateLimit-Policy: "segments";q=2000;w=2      2,000 segments at once, full again after 2 s
 *   RateLimit:        "segments";r=1990;t=1      1,990 left; in 1 s it is full
 *
 * Pure.
 */

/** A bucket as a refusal or an acceptance left it. */
export interface RateLimitState {
  /** Whose bucket it is. */
  readonly scope: "app" | "node";
  /** Segments per second. */
  readonly rateTps: number;
  /** Segments at once. */
  readonly burst: number;
  /** Segments that could be taken now. */
  readonly left: number;
}

/** Names of the two policies. */
const POLICY_NAMES = { app: "segments", node: "node-segments" } as const;

/** Value of RateLimit-Policy. */
export function rateLimitPolicy({ scope, rateTps, burst }: RateLimitState): string {
  const quota = rateTps === 0 ? 0 : burst;
  return `"${POLICY_NAMES[scope]}";q=${quota};w=${secondsFor(burst, rateTps)}`;
}

/** Value of RateLimit; `retryAfterS`: what Retry-After says, 0 without one. */
export function rateLimit(state: RateLimitState, retryAfterS: number): string {
  const left = Math.floor(state.left);
  const resetS = Math.max(retryAfterS, secondsFor(state.burst - state.left, state.rateTps));
  return `"${POLICY_NAMES[state.scope]}";r=${left};t=${resetS}`;
}

/** Both as lines that follow others of an answer's head. */
export function rateLimitLines(state: RateLimitState, retryAfterS: number): string {
  const left = rateLimit(state, retryAfterS);
  return `\r\nRateLimit-Policy: ${rateLimitPolicy(state)}\r\nRateLimit: ${left}`;
}

function secondsFor(segments: number, rateTps: number): number {
  return rateTps === 0 ? 1 : Math.max(1, Math.ceil(segments / rateTps));
}
