/**
 * What the client of a trial knows: which messages it sent, and what it was told about each. One of
 * the three witnesses that the judge reads.
 *
 *   {"to":"998910000000","parts":3}                              asked; alone: never answered
 *   {"to":"998910000000","status":202,"id":"gw-test-…"}          answered
 *   {"to":"998910000000","id":"gw-test-…","resolved":"resend"}   a held message, decided upon
 *
 * Kept in the test's process, which no fault ends, and written as lines of JSON for the judge.
 */
import { readFileSync, writeFileSync } from "node:fs";

export interface ClientEntry {
  readonly to: string;
  /** Parts the text has by the arithmetic of GSM 03.38, not by the gateway. */
  readonly parts: number;
  /** 0 while there is no answer. */
  status: number;
  id: string | null;
  /** How often it was decided that the held message is sent once more. */
  resends: number;
}

export class ClientLog {
  readonly entries = new Map<string, ClientEntry>();
  readonly #byId = new Map<string, ClientEntry>();
  #promised = 0;

  /** Messages that were answered 202. */
  get promised(): number {
    return this.#promised;
  }

  asked(to: string, parts: number): void {
    this.entries.set(to, { to, parts, status: 0, id: null, resends: 0 });
  }

  answered(to: string, status: number, body: string): void {
    const entry = this.entries.get(to) as ClientEntry;
    entry.status = status;
    if (status !== 202) return;
    entry.id = (JSON.parse(body) as { id: string }).id;
    this.#byId.set(entry.id, entry);
    this.#promised += 1;
  }

  /** A message without an answer may be held, too: its id is not known then. */
  resent(id: string, to: string): void {
    const entry = this.#byId.get(id) ?? this.entries.get(to);
    if (entry !== undefined) entry.resends += 1;
  }

  save(path: string): void {
    const lines: string[] = [];
    for (const { to, parts, status, id, resends } of this.entries.values()) {
      lines.push(JSON.stringify({ to, parts }));
      if (status !== 0) lines.push(JSON.stringify({ to, status, id }));
      for (let i = 0; i < resends; i++) lines.push(JSON.stringify({ to, id, resolved: "resend" }));
    }
    writeFileSync(path, `${lines.join("\n")}\n`);
  }
}

/** Reads what `save` wrote, by destination. */
export function readClientLog(path: string): Map<string, ClientEntry> {
  const entries = new Map<string, ClientEntry>();
  for (const line of readFileSync(path, "utf8").split("\n")) {
    if (line === "") continue;
    const said = JSON.parse(line) as Partial<ClientEntry> & { to: string; resolved?: string };
    const entry = entries.get(said.to);
    if (entry === undefined) {
      const parts = said.parts as number;
      entries.set(said.to, { to: said.to, parts, status: 0, id: null, resends: 0 });
    } else if (said.resolved === undefined) {
      entry.status = said.status as number;
      entry.id = said.id ?? null;
    } else {
      entry.resends += 1;
    }
  }
  return entries;
}
