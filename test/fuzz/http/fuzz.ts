/**
 * Sends hostile requests over a few keep-alive connections and judges each answer.
 */
import { Agent, request } from "node:http";
import { ERRORS, problemType, type ErrorCode } from "../../../src/errors.ts";
import { LogWord } from "../../../src/tables/log-table.ts";
import { removalAtOnce } from "../../support/removal-directory.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { CONFIG } from "../../unit/ingress/rig.ts";
import { HttpRig } from "../../unit/ingress/http-rig.ts";
import { type FuzzRequest, RequestMaker } from "./requests.ts";

export interface HttpFuzzResult {
  readonly seed: number;
  readonly count: number;
  readonly failureCount: number;
  /** Up to ten: what happened, and the request in base64. */
  readonly failures: readonly string[];
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
}

interface Answer {
  /** 0: there is none. */
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

const CONNECTIONS = 64;
const ANSWER_MS_MAX = 30_000;
const KNOWN = new Set<string>(
  (Object.keys(ERRORS) as ErrorCode[]).map((code) => `${ERRORS[code].http} ${problemType(code)}`),
);

/**
 * Sends `count` requests made from `seed`. Every request is framed well and gets an answer; who
 * may close a connection says so in the answer before. So a connection that is reset or closed
 * without an answer is a failure, whatever was sent on it.
 */
export async function fuzzHttp(seed: number, count: number): Promise<HttpFuzzResult> {
  const http = new HttpRig({ waitingMax: 1_000_000, pendingMax: 4096, config: CONFIG });
  const { rig } = http;
  const removal = removalAtOnce(http.rig.directory, http.rig.logTable);
  // Workers that take everything at once: nothing has to wait, so nothing may be shed.
  const drain = setInterval(() => {
    for (const pool of rig.pools.pools) for (const w of [0, 1]) rig.grant(w, pool.poolIndex, 4096);
    rig.submitted();
    followLog(http);
    removal.onTick();
  }, 2);
  const maker = new RequestMaker(seededRandom(seed));
  const headers = http.headers();
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const failures: string[] = [];
  const statuses: Record<string, number> = {};
  let failureCount = 0;
  let left = count;
  const send = async (): Promise<void> => {
    while (left-- > 0) {
      const call = maker.next();
      const answer = await exchange(http.port, agent, headers, call);
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      const failure = judge(call, answer);
      if (failure === null) continue;
      failureCount++;
      const shown = `${failure}: ${call.path} ${call.type} ${call.body.toString("base64")}`;
      if (failures.length < 10) failures.push(shown);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, send));
  clearInterval(drain);
  agent.destroy();
  await http.close();
  return { seed, count, failureCount, failures, statuses };
}

/** Says, as the ledger would, that all is applied and nothing is needed any more. */
function followLog({ rig }: HttpRig): void {
  const { logTable } = rig;
  const committed = logTable.load(LogWord.COMMITTED);
  for (const word of [LogWord.LEDGER_APPLIED, LogWord.LEDGER_FLUSHED, LogWord.RELEASABLE]) {
    logTable.store(word, committed);
  }
}

function exchange(
  port: number,
  agent: Agent,
  headers: Readonly<Record<string, string>>,
  { path, type, body }: FuzzRequest,
): Promise<Answer> {
  return new Promise((resolve) => {
    const options = { host: "127.0.0.1", port, agent, method: "POST", path };
    const all = { ...headers, "content-type": type, "content-length": body.length };
    const sent = request({ ...options, headers: all, timeout: ANSWER_MS_MAX }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (piece: string) => (text += piece));
      answer.on("end", () => {
        const { statusCode = 0 } = answer;
        resolve({ status: statusCode, type: answer.headers["content-type"] ?? "", text });
      });
    });
    sent.on("timeout", () => sent.destroy(new Error("no answer")));
    sent.on("error", (error) => resolve({ status: 0, type: "", text: String(error) }));
    sent.end(body);
  });
}

/** What is wrong with an answer, or null. */
function judge({ path }: FuzzRequest, { status, type, text }: Answer): string | null {
  if (status === 0 || status >= 500) return `${status} ${text}`;
  try {
    if (status === 200 && type === "application/x-ndjson") {
      const lines = text.split("\n").filter((line) => line !== "");
      return lines.map((line) => judgeItem(JSON.parse(line))).find((what) => what !== null) ?? null;
    }
    const value = JSON.parse(text) as { results?: unknown[]; verdict?: string };
    if (path.endsWith("batch") && value.results !== undefined) {
      return value.results.map(judgeItem).find((what) => what !== null) ?? null;
    }
    if (status === 200) return value.verdict === undefined ? "200 without a verdict" : null;
    if (status === 202) return judgeItem(value);
    return type === "application/problem+json" ? judgeProblem(value, status) : `type ${type}`;
  } catch (error) {
    return `${String(error)} in ${text.slice(0, 200)}`;
  }
}

function judgeItem(item: unknown): string | null {
  const { id, problem } = item as { id?: string; problem?: { status: number } };
  if (problem !== undefined) return judgeProblem(problem, problem.status);
  return typeof id === "string" ? null : "neither id nor problem";
}

function judgeProblem(problem: unknown, status: number): string | null {
  const { type, title, errors } = problem as Record<string, unknown>;
  if (status >= 500 || !KNOWN.has(`${status} ${String(type)}`)) return `problem ${String(type)}`;
  if (typeof title !== "string") return "a problem without a title";
  const mustList = type === problemType("invalid");
  if (!mustList) return null;
  if (!Array.isArray(errors) || errors.length === 0) return "invalid without errors";
  const found = errors as { pointer: unknown; detail: unknown }[];
  const isPlain = ({ pointer, detail }: (typeof found)[number]): boolean =>
    typeof pointer === "string" && /^(?:\/.*)*$/s.test(pointer) && typeof detail === "string";
  return found.every(isPlain) ? null : "an error without pointer or detail";
}
