/**
 * One run of `final.ts`: operator, gateway, load by wrk, then the last message.
 */
import { Workspace, startGateway } from "../../test/support/processes.ts";
import { LOAD_DEFAULTS, type LoadSettings } from "./contenders/contender.ts";
import { adminText, benchToken, benchYaml } from "./contenders/gateway.ts";
import { startOperator } from "./contenders/operator.ts";
import { runWrk } from "./wrk.ts";

/** Beside the operator's delay. */
const BAR_MS = 1000;
const LOOK_MS = 5;
const FINAL_MS_MAX = 120_000;

export interface FinalSettings {
  readonly seconds: number;
  readonly connections: number;
  /** How long the operator takes for a receipt. */
  readonly receiptDelayMs: number;
  readonly durability: LoadSettings["durability"];
}

/** Times are after the end of the load. */
export interface FinalResult {
  readonly settings: FinalSettings;
  readonly answered: number;
  readonly refused: number;
  readonly loadS: number;
  readonly lastAcceptedMs: number;
  /** When `GET` showed the last message as final. */
  readonly lastFinalMs: number;
  readonly lastStatus: string;
  readonly barMs: number;
  readonly allFinalMs: number;
}

/** Runs it. Rejects if something is not final two minutes after the load. */
export async function runFinal(settings: FinalSettings): Promise<FinalResult> {
  const { seconds, connections, receiptDelayMs, durability } = settings;
  const workspace = new Workspace();
  try {
    const load: LoadSettings = {
      ...LOAD_DEFAULTS,
      seconds,
      connections,
      durability,
      receipts: "final",
    };
    const operator = await startOperator(workspace, "final", receiptDelayMs);
    const gateway = await startGateway(workspace, benchYaml(operator.port, load));
    const token = benchToken();
    const wrk = await runWrk(
      { port: gateway.httpPort, token, tokensFile: null, dialect: "json" },
      load,
    );
    const endedAt = performance.now();
    const last = await postLast(gateway.httpPort, token);
    const lastAcceptedMs = performance.now() - endedAt;
    const lastStatus = await untilFinal(gateway.httpPort, token, last);
    const lastFinalMs = performance.now() - endedAt;
    await until("a message is open", async () => {
      const { books } = JSON.parse(await adminText(gateway, "/status")) as {
        books: { open: number };
      };
      return books.open === 0 ? true : null;
    });
    return {
      settings,
      answered: wrk.requests - wrk.status_errors,
      refused: wrk.status_errors,
      loadS: wrk.duration_us / 1e6,
      lastAcceptedMs,
      lastFinalMs,
      lastStatus,
      barMs: BAR_MS + receiptDelayMs,
      allFinalMs: performance.now() - endedAt,
    };
  } finally {
    await workspace.dispose();
  }
}

function headers(token: string): Record<string, string> {
  return {
    authorization: `Bearer ${token}`,
    "x-app-id": "1",
    "content-type": "application/json",
  };
}

/** Posts the last message, as often as it is refused; its id. */
async function postLast(port: number, token: string): Promise<string> {
  const body = JSON.stringify({
    to: "+998900000001",
    from: "MYBRAND",
    text: "the last one",
    dlr: "final",
  });
  return await until("the last message is refused", async () => {
    const url = `http://127.0.0.1:${port}/v1/messages`;
    const answer = await fetch(url, { method: "POST", headers: headers(token), body });
    const { id } = (await answer.json()) as { id?: string };
    return answer.status === 202 && id !== undefined ? id : null;
  });
}

/** Asks for the message until it is final; its status. */
async function untilFinal(port: number, token: string, id: string): Promise<string> {
  return await until("the last message is open", async () => {
    const url = `http://127.0.0.1:${port}/v1/messages/${id}`;
    const answer = await fetch(url, { headers: headers(token) });
    const message = (await answer.json()) as { status: string; final_at?: string | null };
    return answer.status === 200 && message.final_at != null ? message.status : null;
  });
}

async function until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  const deadline = performance.now() + FINAL_MS_MAX;
  while (performance.now() < deadline) {
    const found = await look();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error(`${what} two minutes after the load ended`);
}
