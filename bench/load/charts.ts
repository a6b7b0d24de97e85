/**
 * Charts as SVG text, without script: bars with a dot for every run, and lines over ordered steps.
 * Everything that comes from outside is escaped. Colours come from the page's style sheet.
 */

export interface Bar {
  readonly label: string;
  /** One a run; the bar is their median. */
  readonly values: readonly number[];
  readonly isOwn: boolean;
}

export interface Line {
  readonly label: string;
  readonly values: readonly number[];
  readonly isOwn: boolean;
}

const WIDTH = 760;
const LABEL_WIDTH = 240;
const LABEL_LENGTH_MAX = 34;
const VALUE_WIDTH = 110;
const BAR_HEIGHT = 22;
const BAR_GAP = 12;
const LINE_HEIGHT = 220;
const MARGIN = 28;
const LABEL_HEIGHT = 15;

/** Text as HTML shows it and nothing else. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** Horizontal bars from 0; `format` writes the value beside each. */
export function barChart(
  bars: readonly Bar[],
  medianOf: (values: readonly number[]) => number,
  format: (value: number) => string,
): string {
  const most = Math.max(...bars.flatMap(({ values }) => values), Number.MIN_VALUE);
  const span = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
  const height = bars.length * (BAR_HEIGHT + BAR_GAP);
  const rows = bars.map(({ label, values, isOwn }, row) => {
    const y = row * (BAR_HEIGHT + BAR_GAP);
    const middle = y + BAR_HEIGHT / 2;
    const width = (medianOf(values) / most) * span;
    const dots = values.map((value) => {
      const x = (LABEL_WIDTH + (value / most) * span).toFixed(1);
      return `<circle cx="${x}" cy="${middle}" r="3" class="dot"/>`;
    });
    return (
      `<text x="${LABEL_WIDTH - 10}" y="${middle + 5}" text-anchor="end">` +
      `${labelText(label)}</text>` +
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" ` +
      `rx="2" class="${isOwn ? "own" : "other"}"/>${dots.join("")}` +
      `<text x="${WIDTH}" y="${middle + 5}" text-anchor="end">` +
      `${escapeHtml(format(medianOf(values)))}</text>`
    );
  });
  return svg(height, rows.join(""));
}

/** Lines over named steps, on a logarithmic scale; `format` writes the scale's numbers. */
export function lineChart(
  steps: readonly string[],
  lines: readonly Line[],
  format: (value: number) => string,
): string {
  const values = lines.flatMap((line) => line.values).filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(Math.ceil(Math.log10(Math.max(...values))), low + 1);
  const x = (step: number): number =>
    LABEL_WIDTH + ((WIDTH - LABEL_WIDTH - VALUE_WIDTH) * step) / Math.max(1, steps.length - 1);
  const y = (value: number): number =>
    MARGIN + (LINE_HEIGHT * (high - Math.log10(Math.max(value, 10 ** low)))) / (high - low);
  const grid = Array.from({ length: high - low + 1 }, (_, power) => {
    const value = 10 ** (low + power);
    const at = y(value).toFixed(1);
    return (
      `<line x1="${LABEL_WIDTH}" x2="${WIDTH - VALUE_WIDTH}" y1="${at}" y2="${at}" class="grid"/>` +
      `<text x="${LABEL_WIDTH - 10}" y="${at}" dy="4" text-anchor="end">` +
      `${escapeHtml(format(value))}</text>`
    );
  });
  const feet = steps.map(
    (step, i) =>
      `<text x="${x(i).toFixed(1)}" y="${LINE_HEIGHT + MARGIN * 2}" text-anchor="middle">` +
      `${escapeHtml(step)}</text>`,
  );
  const paths = lines.map(({ values: own, isOwn }) => {
    const points = own.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`);
    return `<polyline points="${points.join(" ")}" class="${isOwn ? "own" : "other"} line"/>`;
  });
  const ends = lines.map(({ label, values: own }) => ({ label, y: y(own.at(-1) ?? 1) }));
  const labels = apart(ends).map(
    (end) =>
      `<text x="${WIDTH - VALUE_WIDTH + 8}" y="${end.y.toFixed(1)}" dy="4">` +
      `${escapeHtml(end.label)}</text>`,
  );
  return svg(LINE_HEIGHT + MARGIN * 2 + 8, [...grid, ...feet, ...paths, ...labels].join(""));
}

/** As much of a name as fits, all of it for a pointer that rests there. */
function labelText(label: string): string {
  if (label.length <= LABEL_LENGTH_MAX) return escapeHtml(label);
  const cut = `${label.slice(0, LABEL_LENGTH_MAX - 1)}…`;
  return `${escapeHtml(cut)}<title>${escapeHtml(label)}</title>`;
}

/** Moves labels that would cover each other down, the upper ones first. */
function apart(ends: readonly { label: string; y: number }[]): { label: string; y: number }[] {
  let free = 0;
  return [...ends]
    .sort((a, b) => a.y - b.y)
    .map(({ label, y }) => {
      const at = Math.max(y, free);
      free = at + LABEL_HEIGHT;
      return { label, y: at };
    });
}

function svg(height: number, content: string): string {
  return (
    `<figure><svg viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" role="img" ` +
    `xmlns="http://www.w3.org/2000/svg">${content}</svg></figure>`
  );
}
