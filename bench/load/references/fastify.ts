/**
 * Reference: a fastify server that parses the same body and answers the same 202, and does nothing
 * else. Prints `listening on PORT`.
 */
import Fastify from "fastify";

const app = Fastify();
let count = 0;

app.post<{ Body: { reference: string } }>("/v1/messages", (request, reply) => {
  count += 1;
  void reply
    .code(202)
    .header("Location", `/v1/messages/bare-${count}`)
    .send({
      id: `bare-${count}`,
      status: "accepted",
      segments: 1,
      encoding: "gsm7",
      reference: request.body.reference,
    });
});

const address = await app.listen({ host: "127.0.0.1", port: 0 });
console.log(`listening on ${new URL(address).port}`);
