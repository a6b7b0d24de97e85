/**
 * Reference: the gateway one writes in an afternoon, fastify in front of npm `smpp`: two sessions,
 * no disk, no limits, no states. Its 202 means "in memory".
 *
 *   node fastify-smpp.js SMSC_PORT     prints `listening on PORT` when both sessions are bound
 */
import Fastify from "fastify";
import { ask, connectPackage, type PackageSession } from "../../../test/support/smpp-package.ts";

const SESSIONS = 2;
const smscPort = Number(process.argv[2]);
const sessions = await Promise.all(Array.from({ length: SESSIONS }, bindSession));
let count = 0;

async function bindSession(): Promise<PackageSession> {
  const session = await connectPackage(smscPort);
  session.on("deliver_sm", (pdu) => session.send(pdu.response()));
  const { command_status } = await ask(session, "bind_transceiver", { system_id: "afternoon" });
  if (command_status !== 0) throw new Error(`bind answered ${command_status}`);
  return session;
}

const app = Fastify();
app.post<{ Body: { to: string; from: string; text: string; dlr?: string; reference: string } }>(
  "/v1/messages",
  (request, reply) => {
    const { to, from, text, dlr, reference } = request.body;
    count += 1;
    const session = sessions[count % SESSIONS] as PackageSession;
    session.submit_sm({
      destination_addr: to.replace("+", ""),
      source_addr: from,
      short_message: text,
      registered_delivery: dlr === "none" ? 0 : 1,
    });
    void reply.code(202).send({ id: `m-${count}`, status: "accepted", reference });
  },
);

const address = await app.listen({ host: "127.0.0.1", port: 0 });
console.log(`listening on ${new URL(address).port}`);
