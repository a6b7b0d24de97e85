/**
 * docs/METRICS.md, generated from the table; a test compares the two.
 */
import { COUNTERS, GAUGES, HISTOGRAMS, type GaugeRow, type MetricRow, WAITS } from "./table.ts";

const HEAD = `# Metrics

Generated from \`src/metrics/table.ts\` by \`npm run docs\`; do not edit. \`GET /metrics\` on the
admin port answers in the text format of Prometheus. Values count from the start of the process;
durations are in milliseconds.
`;

/** The page as it stands in docs/. */
export function metricsMarkdown(): string {
  const gauges = Object.values(GAUGES) as readonly GaugeRow[];
  return [
    HEAD,
    section("Counters", ["metric", "meaning"], rowsOf(Object.values(COUNTERS))),
    section("Histograms", ["metric", "meaning"], rowsOf([...Object.values(HISTOGRAMS), WAITS])),
    section(
      "Gauges",
      ["metric", "labels", "meaning"],
      gauges.map((row) => [named(row), row.labels.join(", "), row.help]),
    ),
  ].join("\n");
}

function rowsOf(rows: readonly MetricRow[]): string[][] {
  return rows.map((row) => [named(row), row.help]);
}

function named(row: MetricRow): string {
  return `\`smsgw_${row.name}\``;
}

function section(title: string, head: readonly string[], rows: readonly string[][]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = `|${head.map(() => "---").join("|")}|`;
  return [`## ${title}`, "", line(head), rule, ...rows.map(line), ""].join("\n");
}
