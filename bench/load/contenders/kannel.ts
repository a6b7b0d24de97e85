/**
 * Contender: Kannel from Debian as fast as it goes: two smpp links, no store, no log, bearerbox
 * kept on one CPU (its threads fight for locks otherwise). Its 202 means "in memory".
 *
 * With receipts (internal store) it takes messages faster than it finishes them and falls behind
 * for good; so its figure then is the highest rate that it keeps up with, found by trying.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { connect } from "node:net";
import { freePort } from "../../../test/support/free-port.ts";
import { endWithUs, Workspace } from "../../../test/support/processes.ts";
import type { Contender, LoadSettings } from "./contender.ts";
import { highestKeptRate } from "./kept-rate.ts";
import { startOperator, watchOperator } from "./operator.ts";

const START_MS_MAX = 15_000;
const BEARERBOX_CPU = "0";

interface Ports {
  readonly smsc: number;
  readonly admin: number;
  readonly smsbox: number;
  readonly http: number;
}

export const KANNEL: Contender = {
  name: "kannel",
  missing: () =>
    spawnSync("smsbox", ["--version"]).error === undefined
      ? null
      : "kannel is missing: apt-get install kannel",
  promise: "Kannel, 2 smpp links, no store, bearerbox on one CPU: its 202 means in memory",
  async start({ receipts }) {
    const lack = KANNEL.missing?.() ?? null;
    if (lack !== null) throw new Error(lack);
    const workspace = new Workspace();
    const operator = await startOperator(workspace, receipts);
    const [admin, smsbox, http] = [await freePort(), await freePort(), await freePort()];
    const ports = { smsc: operator.port, admin, smsbox, http } as Ports;
    const file = workspace.write("kannel.conf", kannelConf(ports));
    const bearerbox = quiet("taskset", ["-c", BEARERBOX_CPU, "bearerbox", file]);
    await untilListens(ports.smsbox);
    const box = quiet("smsbox", [file]);
    await untilListens(ports.http);
    return {
      port: ports.http,
      token: "none",
      tokensFile: null,
      pids: [bearerbox.pid as number, box.pid as number],
      dialect: "kannel",
      takesBatches: false,
      watch: () => watchOperator(operator),
      ...(receipts === "none"
        ? {}
        : {
            load: ({ seconds }: LoadSettings) =>
              highestKeptRate({ port: ports.http, operator, seconds }),
          }),
      async stop() {
        await Promise.all([ended(box), ended(bearerbox)]);
        await workspace.dispose();
      },
    };
  },
};

function kannelConf({ smsc, admin, smsbox, http }: Ports): string {
  const link = (id: string): string => `
group = smsc
smsc = smpp
smsc-id = ${id}
host = 127.0.0.1
port = ${smsc}
transceiver-mode = true
smsc-username = ${id}
smsc-password = ${id}
system-type = ""
max-pending-submits = 1000
`;
  return `
group = core
admin-port = ${admin}
admin-password = bench
smsbox-port = ${smsbox}
box-allow-ip = 127.0.0.1
dlr-storage = internal
log-level = 4
${link("first")}${link("second")}
group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = ${http}
sendsms-interface = 127.0.0.1
log-level = 4

group = sendsms-user
username = bench
password = bench
concatenation = true
max-messages = 10
`;
}

function quiet(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: "ignore" });
  endWithUs(child);
  return child;
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve();
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  return gone;
}

async function untilListens(port: number): Promise<void> {
  const deadline = performance.now() + START_MS_MAX;
  while (performance.now() < deadline) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`kannel does not listen on port ${port}`);
}
