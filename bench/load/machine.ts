/** Where and of what a result was taken: without it a figure means nothing. */
import { execFileSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";

/** What a result file says of its origin. */
export interface Origin {
  readonly at: string;
  readonly commit: string;
  /** Whether the work tree differed from that commit. */
  readonly dirty: boolean;
  readonly cpu: string;
  readonly cpuCount: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
  readonly v8: string;
}

function git(...args: string[]): string {
  try {
    return execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return "";
  }
}

export function origin(): Origin {
  return {
    at: new Date().toISOString(),
    commit: git("rev-parse", "HEAD").trim() || "unknown",
    dirty: git("status", "--porcelain", "--untracked-files=no").trim() !== "",
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cpuCount: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    v8: process.versions.v8,
  };
}

/** The machine in one line. */
export function describeOrigin({ cpu, cpuCount, memoryGib, kernel, node }: Origin): string {
  return `${cpuCount} × ${cpu}, ${memoryGib} GiB, Linux ${kernel}, Node ${node}`;
}
