/**
 * The rows of the scorecard about links: what runs each, and how often at full length.
 */
import { garbage, wrappingNumbers, wrongAnswers } from "./hostile-answers.ts";
import { lostConnections } from "./lost-connections.ts";
import { refusedBinds, throttleStorms } from "./refused-binds.ts";
import type { RowReport } from "./report.ts";
import { floodingPeers, mutePeers, slowPeers, stoppedPeers } from "./silent-peers.ts";

export interface Row {
  readonly id: string;
  /** Trials at full length, and in the quick tests. */
  readonly trials: number;
  readonly trialsQuick: number;
  readonly run: (trials: number, seed: number) => Promise<RowReport> | RowReport;
}

export const ROWS: readonly Row[] = [
  { id: "F9", trials: 1000, trialsQuick: 30, run: lostConnections },
  { id: "F10", trials: 50, trialsQuick: 1, run: mutePeers },
  { id: "F11", trials: 20, trialsQuick: 2, run: slowPeers },
  { id: "F12", trials: 20, trialsQuick: 1, run: stoppedPeers },
  { id: "F13", trials: 200, trialsQuick: 22, run: garbage },
  { id: "F14", trials: 10_000, trialsQuick: 500, run: wrongAnswers },
  { id: "F16", trials: 10, trialsQuick: 1, run: throttleStorms },
  { id: "F17", trials: 20, trialsQuick: 2, run: wrappingNumbers },
  { id: "F18", trials: 20, trialsQuick: 1, run: refusedBinds },
  { id: "F19", trials: 20, trialsQuick: 1, run: floodingPeers },
];
