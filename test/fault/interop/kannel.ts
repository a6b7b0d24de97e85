/**
 * Kannel's bearerbox and smsbox as an ESME written by others: two processes with one configuration,
 * sending by HTTP and telling of receipts by HTTP.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../support/free-port.ts";
import type { Workspace } from "../../support/processes.ts";

const START_DEADLINE_MS = 90_000;
const LOOK_INTERVAL_MS = 200;

export interface KannelMessage {
  readonly to: string;
  readonly text: string;
  readonly coding: "gsm7" | "ucs2";
}

export class Kannel {
  /** Receipts by destination, as smsbox told of them. */
  readonly receipts = new Map<string, number[]>();
  readonly #adminPort: number;
  readonly #httpPort: number;
  readonly #told: Server;
  readonly #boxes: ChildProcess[];

  private constructor(adminPort: number, httpPort: number, told: Server, boxes: ChildProcess[]) {
    this.#adminPort = adminPort;
    this.#httpPort = httpPort;
    this.#told = told;
    this.#boxes = boxes;
    told.on("request", (request, response) => {
      const { searchParams } = new URL(request.url ?? "/", "http://localhost");
      const to = searchParams.get("to") ?? "";
      const types = this.receipts.get(to) ?? [];
      types.push(Number(searchParams.get("type")));
      this.receipts.set(to, types);
      response.end("thanks");
    });
  }

  /** Starts both boxes against the SMSC at `smscPort` and waits until they are bound. */
  static async start(workspace: Workspace, smscPort: number): Promise<Kannel> {
    const [adminPort, boxPort, httpPort] = [await freePort(), await freePort(), await freePort()];
    const told = createServer();
    await new Promise<void>((resolve) => told.listen(0, "127.0.0.1", resolve));
    const toldPort = (told.address() as AddressInfo).port;
    const lines = configurationOf({ smscPort, adminPort, boxPort, httpPort, toldPort });
    const path = workspace.write("kannel.conf", lines.join("\n"));
    const box = (name: string): ChildProcess =>
      spawn(name, ["-v", "4", path], { stdio: "ignore", cwd: workspace.folder });
    const bearerbox = box("bearerbox");
    const kannel = new Kannel(adminPort, httpPort, told, [bearerbox]);
    await kannel.#until((status) => status.includes("status=running") || status.includes("Kannel"));
    kannel.#boxes.push(box("smsbox"));
    await kannel.#until((status) => status.includes("online") && status.includes("smsbox"));
    return kannel;
  }

  /** Posts a message to smsbox; returns its HTTP status. */
  async send({ to, text, coding }: KannelMessage): Promise<number> {
    const query = new URLSearchParams({
      username: "tester",
      password: "secret",
      from: "KANNEL",
      to,
      text,
      charset: "UTF-8",
      coding: coding === "ucs2" ? "2" : "0",
      "dlr-mask": "31",
    });
    const response = await fetch(
      `http://127.0.0.1:${this.#httpPort}/cgi-bin/sendsms?${query.toString()}`,
    );
    await response.text();
    return response.status;
  }

  /** What bearerbox says of itself; empty while it does not answer. */
  async status(): Promise<string> {
    try {
      const url = `http://127.0.0.1:${this.#adminPort}/status.txt?password=secret`;
      return await (await fetch(url)).text();
    } catch {
      return "";
    }
  }

  /** Ends both boxes in an orderly way: bearerbox unbinds. */
  async stop(): Promise<void> {
    for (const box of this.#boxes.toReversed()) {
      if (box.exitCode !== null || box.signalCode !== null) continue;
      const gone = new Promise((resolve) => box.once("exit", resolve));
      box.kill("SIGTERM");
      await Promise.race([gone, sleep(10_000)]);
      box.kill("SIGKILL");
    }
    this.#told.close();
    this.#told.closeAllConnections();
  }

  async #until(holds: (status: string) => boolean): Promise<void> {
    let status = "";
    for (let waitedMs = 0; waitedMs < START_DEADLINE_MS; waitedMs += LOOK_INTERVAL_MS) {
      status = await this.status();
      if (holds(status)) return;
      await sleep(LOOK_INTERVAL_MS);
    }
    throw new Error(`Kannel does not come up: ${status}`);
  }
}

interface Ports {
  readonly smscPort: number;
  readonly adminPort: number;
  readonly boxPort: number;
  readonly httpPort: number;
  readonly toldPort: number;
}

function configurationOf({ smscPort, adminPort, boxPort, httpPort, toldPort }: Ports): string[] {
  return [
    "group = core",
    `admin-port = ${adminPort}`,
    "admin-interface = 127.0.0.1",
    "admin-password = secret",
    `smsbox-port = ${boxPort}`,
    "smsbox-interface = 127.0.0.1",
    "box-allow-ip = 127.0.0.1",
    "dlr-storage = internal",
    "",
    "group = smsc",
    "smsc = smpp",
    "smsc-id = tested",
    "host = 127.0.0.1",
    `port = ${smscPort}`,
    "transceiver-mode = true",
    "smsc-username = kannel",
    "smsc-password = secret",
    'system-type = ""',
    "source-addr-autodetect = true",
    "dest-addr-ton = 1",
    "dest-addr-npi = 1",
    "enquire-link-interval = 2",
    "reconnect-delay = 1",
    // So long it bears a silent SMSC; 300 s of itself.
    "connection-timeout = 8",
    "",
    "group = smsbox",
    "bearerbox-host = 127.0.0.1",
    `bearerbox-port = ${boxPort}`,
    "smsbox-id = box",
    `sendsms-port = ${httpPort}`,
    "sendsms-interface = 127.0.0.1",
    "",
    "group = sendsms-user",
    "username = tester",
    "password = secret",
    "concatenation = true",
    "max-messages = 10",
    `dlr-url = "http://127.0.0.1:${toldPort}/?to=%p&type=%d"`,
    "",
    "group = sms-service",
    "keyword = default",
    'text = "no"',
    "",
  ];
}
