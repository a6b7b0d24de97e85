/** A client of the gateway's HTTP interface, as a sender would write it. */
import { setTimeout as sleep } from "node:timers/promises";
import { signToken } from "../../src/cli/token.ts";
import { SECRET } from "./processes.ts";

const LOOK_INTERVAL_MS = 50;

export interface MessageDocument {
  readonly id: string;
  readonly status: string;
  readonly maybe_dup?: boolean;
  readonly parts: readonly {
    readonly status: string;
    readonly link: number;
    readonly smsc_id?: string;
    readonly maybe_dup?: boolean;
  }[];
}

export class Client {
  readonly token: string;
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(port: number, scopes: readonly string[] = ["send"]) {
    this.token = testToken(scopes);
    this.#base = `http://127.0.0.1:${port}`;
    this.#headers = {
      Authorization: `Bearer ${this.token}`,
      "X-App-ID": "1",
      "Content-Type": "application/json",
    };
  }

  async post(message: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(`${this.#base}/v1/messages`, {
      method: "POST",
      headers: this.#headers,
      body: JSON.stringify(message),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  async get(id: string): Promise<{ status: number; body: MessageDocument }> {
    const response = await fetch(`${this.#base}/v1/messages/${id}`, { headers: this.#headers });
    return { status: response.status, body: (await response.json()) as MessageDocument };
  }

  async cancel(id: string): Promise<{ status: number; body: Record<string, unknown> }> {
    const url = `${this.#base}/v1/messages/${id}`;
    const response = await fetch(url, { method: "DELETE", headers: this.#headers });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  /** Asks until the message has `status`; fails with what it has after `deadlineMs`. */
  async untilStatus(id: string, status: string, deadlineMs = 60_000): Promise<MessageDocument> {
    let last: MessageDocument | null = null;
    for (let waited = 0; waited < deadlineMs; waited += LOOK_INTERVAL_MS) {
      const { body } = await this.get(id);
      if (body.status === status) return body;
      last = body;
      await sleep(LOOK_INTERVAL_MS);
    }
    throw new Error(`${id} is not ${status} but ${JSON.stringify(last)}`);
  }
}

/** A token of app 1 for the tests' secret. */
export function testToken(scopes: readonly string[] = ["send"]): string {
  const issuedAtS = Math.floor(Date.now() / 1000);
  return signToken(
    { appId: 1, audience: "smsgw", issuer: null, scopes, issuedAtS, ttlS: 3600 },
    SECRET,
  );
}

export interface Books {
  readonly accepted: number;
  readonly open: number;
  readonly final: Readonly<Record<string, number>>;
}

/** The ledger's books as the admin port shows them. */
export async function booksOf(adminPort: number): Promise<Books> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/status`);
  return ((await response.json()) as { books: Books }).books;
}

/** Waits until the ledger has no open message; returns its books. */
export async function untilAllFinal(adminPort: number, deadlineMs = 60_000): Promise<Books> {
  let books: Books | null = null;
  for (let waited = 0; waited < deadlineMs; waited += LOOK_INTERVAL_MS) {
    books = await booksOf(adminPort);
    if (books.accepted > 0 && books.open === 0) return books;
    await sleep(LOOK_INTERVAL_MS);
  }
  throw new Error(`messages are still open: ${JSON.stringify(books)}`);
}
