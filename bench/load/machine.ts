/** Where and of what a result was taken: without it a figure means nothing. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";

/** What a result file says of its origin. */
export interface Origin {
  readonly at: string;
  readonly commit: string;
  /** Whether the work tree differed from that commit, but for results and documents. */
  readonly dirty: boolean;
  readonly cpu: string;
  readonly cpuCount: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
  readonly v8: string;
  /** Of the minute before the run: beside others figures say little. Early results lack it. */
  readonly loadAverage?: number;
  /**
   * A virtual machine gives free memory back to its host in blocks of 2^this pages, none above
   * 2^10: what it writes to next costs more. Early results and machines without one lack it.
   */
  readonly pageReportingOrder?: number;
  /** Of what figures are compared with or depend on. Early results lack them. */
  readonly versions?: Readonly<Record<string, string>>;
}

/** All but what a run writes or quotes. */
const PROGRAM = [":(top)", ":(top,exclude)*/results/*", ":(top,exclude)docs/*"];
const PACKAGES = ["lmdb", "fastify", "smpp"];
const PAGE_REPORTING = "/sys/module/page_reporting/parameters/page_reporting_order";
/** Largest block of free pages that the kernel keeps as one. */
const PAGE_ORDER_MAX = 10;
const PACKAGE_FILE = new URL("../../../package.json", import.meta.url);

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
    dirty: git("status", "--porcelain", "--untracked-files=no", "--", ...PROGRAM).trim() !== "",
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cpuCount: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    v8: process.versions.v8,
    loadAverage: Number((loadavg()[0] ?? 0).toFixed(2)),
    ...pageReporting(),
    versions: versions(),
  };
}

function pageReporting(): { readonly pageReportingOrder?: number } {
  try {
    return { pageReportingOrder: Number(readFileSync(PAGE_REPORTING, "utf8")) };
  } catch {
    return {};
  }
}

/** Packages as package.json pins them, programs as they say; what is missing is left out. */
function versions(): Record<string, string> {
  const { dependencies, optionalDependencies, devDependencies } = JSON.parse(
    readFileSync(PACKAGE_FILE, "utf8"),
  ) as Record<string, Record<string, string> | undefined>;
  const pinned = { ...devDependencies, ...optionalDependencies, ...dependencies };
  const found = PACKAGES.map((name) => [name, pinned[name]] as const);
  const programs = [
    ["wrk", firstLine("wrk", "--version")],
    ["kannel", firstLine("bearerbox", "--version")],
  ] as const;
  const known = [...found, ...programs].filter((each) => each[1] !== undefined);
  return Object.fromEntries(known) as Record<string, string>;
}

/** What a program says of itself first, whatever it ends with; undefined: it is not there. */
function firstLine(program: string, ...args: string[]): string | undefined {
  const { stdout, error } = spawnSync(program, args, { encoding: "utf8" });
  return error === undefined ? stdout.split("\n")[0]?.trim() : undefined;
}

/** The machine in one line. */
export function describeOrigin(origin: Origin): string {
  const { cpu, cpuCount, memoryGib, kernel, node, pageReportingOrder } = origin;
  const machine = `${cpuCount} × ${cpu}, ${memoryGib} GiB, Linux ${kernel}, Node ${node}`;
  const isReporting = pageReportingOrder !== undefined && pageReportingOrder <= PAGE_ORDER_MAX;
  return isReporting ? `${machine}, gives free memory back to its host` : machine;
}
