/**
 * How long something takes: fixed, uniform, or with a tail.
 *
 *   20        fixed
 *   5:50      uniform between both, ends included
 *   exp:20    exponential, mean 20: what independent arrivals look like
 *   tail:20   long tail (Pareto, shape 1.5), median 20: one in a hundred takes over ten times as
 *             long, and none more than a hundred times
 *
 * Pure; any thread may call it.
 */

/** From and to, or the scale of a shape with a tail; whole milliseconds. */
export type Delay =
  | readonly [number, number]
  | readonly [number, number, "exponential" | "long_tail"];

/**
 * Longest delay: a wheel tick is a millisecond in a signed 32-bit integer, of which half may lie
 * ahead.
 */
export const DELAY_MS_MAX = 0x3fff_ffff;

const PARETO_EXPONENT = 1 / 1.5;
const TAIL_TIMES_MAX = 100;
/** The draws of an exponential end here, at 20 means. */
const LEAST_DRAW = 2e-9;

/** The delay of `draw`, uniform in [0, 1), in whole milliseconds. */
export function delayOf(delay: Delay, draw: number): number {
  const [from, to, shape] = delay;
  if (shape === undefined) return from + Math.floor(draw * (to - from + 1));
  if (shape === "exponential") return Math.round(-Math.log(Math.max(LEAST_DRAW, 1 - draw)) * to);
  const scale = to / 2 ** PARETO_EXPONENT;
  const times = Math.max(LEAST_DRAW, 1 - draw) ** -PARETO_EXPONENT;
  return Math.round(Math.min(to * TAIL_TIMES_MAX, scale * times));
}

/** Whether it is always the same. */
export function isFixed(delay: Delay): boolean {
  return delay[2] === undefined && delay[0] === delay[1];
}

/** "20", "5:50", "exp:20" or "tail:20"; `numberOf` reads one number or throws RangeError. */
export function parseDelay(
  name: string,
  text: string,
  numberOf: (name: string, text: string) => number,
): Delay {
  const [first = "", second, ...more] = text.split(":");
  if (more.length > 0) throw new RangeError(`${name}: "${text}" is not a, a:b, exp:a or tail:a`);
  if (first === "exp") return [0, numberOf(name, second ?? ""), "exponential"];
  if (first === "tail") return [0, numberOf(name, second ?? ""), "long_tail"];
  const min = numberOf(name, first);
  return [min, second === undefined ? min : numberOf(name, second)];
}
