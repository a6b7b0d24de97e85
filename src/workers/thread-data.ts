/**
 * What a thread is given at its start, and the few messages it exchanges with the main thread.
 * Everything that carries traffic goes over rings; these are for start, drain and questions.
 */
import type { MessagePort } from "node:worker_threads";
import type { SessionRecording } from "../smpp/session/session.ts";
import type { PoolPlan } from "../config/derive.ts";
import type { GatewayConfig } from "../config/types.ts";
import type { ReadQuestion } from "../ingress/calls/read-calls.ts";
import type { CancelOrder } from "../ledger/flow/cancels.ts";
import type { CdrCut } from "../ledger/cdr/cdr-format.ts";
import type { SharedPlan } from "../tables/plan.ts";
import type { BellPorts } from "./bell-ports.ts";
import type { ClockBase } from "./clock.ts";
import type { SharedMemory } from "./shared-memory.ts";

export interface ThreadData {
  readonly config: GatewayConfig;
  readonly pools: PoolPlan;
  readonly plan: SharedPlan;
  readonly memory: SharedMemory;
  readonly clock: ClockBase;
  readonly ports: BellPorts;
}

export interface WorkerThreadData extends ThreadData {
  /** Counts from 0. */
  readonly worker: number;
}

export interface JournalThreadData extends ThreadData {
  readonly epoch: number;
  /** Where the log goes on. */
  readonly nextOffset: number;
  readonly nextNumber: number;
}

export interface LedgerThreadData extends ThreadData {
  /** One per ingress thread. */
  readonly queries: readonly MessagePort[];
  /** To the sink; null without CDRs. */
  readonly sink: MessagePort | null;
}

/** Of an ingress thread other than main. */
export interface IngressThreadData extends ThreadData {
  readonly producer: number;
  readonly epoch: number;
  readonly queries: MessagePort;
}

export interface SinkThreadData extends ThreadData {
  readonly ledger: MessagePort;
}

/** From the ledger to the sink: a cut, oldest first. */
export interface CutNote {
  readonly cut: CdrCut;
}

/** From the sink to the ledger: the oldest cut that is not filed yet is a durable file. */
export interface FiledNote {
  readonly kind: "filed";
}

/** The relay's is nothing of its own. */
export type AnyThreadData =
  | ThreadData
  | IngressThreadData
  | JournalThreadData
  | LedgerThreadData
  | SinkThreadData
  | WorkerThreadData;

/** From a thread to the main thread. */
export type ThreadNote =
  | {
      readonly kind: "recovered";
      readonly epoch: number;
      readonly nextOffset: number;
      readonly nextNumber: number;
    }
  | { readonly kind: "refused"; readonly exitCode: number; readonly reason: string }
  | { readonly kind: "ready" }
  | { readonly kind: "listening"; readonly port: number }
  | { readonly kind: "drained" }
  | { readonly kind: "reloaded" }
  | { readonly kind: "closed" }
  /** From a worker: a link could send and did not. */
  | { readonly kind: "stalled"; readonly linkId: number }
  /** From a worker: what the flight recorders of a link have kept there. */
  | {
      readonly kind: "dumped";
      readonly question: number;
      readonly recordings: readonly SessionRecording[];
    }
  /** An invariant is broken; what must be closed before the process ends is closed. */
  | { readonly kind: "broken"; readonly reason: string };

/**
 * From the main thread to a thread; "dump" to workers only, "drain" to all but the journal,
 * "reload" to all but journal, sink and relay, "close" to all but the journal, the
 * others to ingress threads and the relay only.
 */
export type ThreadCommand =
  | { readonly kind: "reload"; readonly config: GatewayConfig; readonly pools: PoolPlan }
  | { readonly kind: "listen"; readonly port: number }
  | { readonly kind: "listen_for_relay"; readonly path: string }
  | { readonly kind: "reload_certificates" }
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  | { readonly kind: "drain" }
  | { readonly kind: "close" }
  | { readonly kind: "dump"; readonly question: number; readonly linkId: number };

/** A question to the ledger, over its query port. */
export type LedgerQuestion =
  | {
      readonly kind: "message";
      readonly question: number;
      readonly sequence: number;
      readonly origin: number;
      readonly appId: number;
    }
  | {
      /** Answered when the operator has answered, or with null after `waitMs`. */
      readonly kind: "answer";
      readonly question: number;
      readonly sequence: number;
      readonly origin: number;
      readonly appId: number;
      readonly waitMs: number;
    }
  | {
      readonly kind: "cancel";
      readonly question: number;
      readonly sequence: number;
      readonly origin: number;
      readonly appId: number;
    }
  /** No question: the ingress thread does not give up what it was ordered to cancel. */
  | { readonly kind: "cancel_refused"; readonly sequence: number; readonly origin: number }
  | (ReadQuestion & { readonly question: number })
  | { readonly kind: "status"; readonly question: number };

/** From the ledger, over the same port: take this message back. */
export interface LedgerOrder {
  readonly cancel: CancelOrder;
}

export interface LedgerAnswer {
  readonly question: number;
  /** What was asked for, or null for no such message. */
  readonly document: unknown;
}
