/**
 * The table of columns in docs/CDR.md, from the columns themselves.
 */
import { CDR_COLUMNS } from "./cdr-columns.ts";

const BEGIN = "<!-- columns -->\n";
const END = "<!-- /columns -->";

/** `page` with the table between its marks made anew. Throws if it has no marks. */
export function withColumns(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error("docs/CDR.md has no marks for its columns");
  const rows = CDR_COLUMNS.map(({ name, type, doc }) => `| \`${name}\` | ${type} | ${doc} |`);
  const table = ["| column | type | meaning |", "|---|---|---|", ...rows, ""].join("\n");
  return page.slice(0, begin + BEGIN.length) + table + page.slice(end);
}
