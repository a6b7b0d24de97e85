/**
 * Ports for programs that cannot say which one the kernel gave them, or that shall listen later.
 *
 *   1024 … 16384 ─── taken from here ─── 32767 │ 32768 … 60999: the kernel's own choice
 *
 * From below the ports that the kernel gives away, so that no connection of a test beside this one
 * gets it meanwhile, nor one that dials it and would meet itself. Two tests at once hardly draw the
 * same one of so many.
 */
import { createServer } from "node:net";

const FIRST = 16_384;
const COUNT = 16_384;
const TRIES_MAX = 1000;

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (await canListen(port)) return port;
  }
  throw new Error("no port is free");
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
