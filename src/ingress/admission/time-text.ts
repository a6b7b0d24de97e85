/**
 * Instants as clients write them. Pure.
 */

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** What a time must look like, for refusals. */
export const TIME_ALLOWED = "must be a time like 2026-11-22T08:00:00Z";

/** Wall ms of an RFC 3339 time with its offset from UTC; NaN for anything else. */
export function parseTime(text: string): number {
  const parts = RFC_3339.exec(text);
  if (parts === null) return Number.NaN;
  const [, year, month, day] = parts;
  // Date takes the 30th of February for a day of March.
  const last = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  return Number(day) > last ? Number.NaN : Date.parse(text);
}
