/** Records of refused calls: what is in them, what has none, and their bound. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BlockTailer } from "../../../src/journal/log-tailer.ts";
import { Counter } from "../../../src/metrics/block.ts";
import { Admit, ScopeBit } from "../../../src/ingress/admission/admission.ts";
import { Refused } from "../../../src/records/refused.ts";
import { RecordType } from "../../../src/records/types.ts";
import { CollectingTicket, IngressRig } from "./rig.ts";

interface SeenRefusal {
  readonly app: number;
  readonly status: number;
  readonly pool: number;
  readonly texts: string;
}

/** REFUSED records in the log. */
function refusalsIn(rig: IngressRig): SeenRefusal[] {
  const seen: SeenRefusal[] = [];
  const tailer = new BlockTailer(rig.directory, rig.logTable, 0);
  tailer.poll(
    {
      onRecord: (type, { view, bytes }, offset, lengthBytes) => {
        if (type !== RecordType.REFUSED) return;
        const texts = bytes.subarray(offset + Refused.TEXTS, offset + lengthBytes);
        seen.push({
          app: view.getUint32(offset + Refused.APP_ID, true),
          status: view.getUint16(offset + Refused.HTTP_STATUS, true),
          pool: view.getUint32(offset + Refused.POOL_ID, true),
          texts: Buffer.from(texts).toString(),
        });
      },
    },
    1 << 20,
  );
  return seen;
}

function post(rig: IngressRig, body: unknown): number {
  return rig.ingress.accept(0, body, ScopeBit.SEND, new CollectingTicket());
}

test("a refused call leaves a record with what identifies it", () => {
  const rig = new IngressRig({ refusalsPerSMax: 10 });
  const to = "+998901234567";
  assert.equal(post(rig, { to, from: "BRAND", text: "x", reference: "żółć", nonsense: 1 }), -1);
  assert.equal(post(rig, { to: "15550123456", text: "x" }), Admit.NO_ROUTE);
  assert.equal(post(rig, { to, text: "x", route: 1000, campaign: "c" }), Admit.FORBIDDEN);
  assert.equal(post(rig, { to, text: "x" }), Admit.STAGED);
  rig.settle();
  const app = rig.config.apps[0]?.id as number;
  assert.deepEqual(refusalsIn(rig), [
    { app, status: 400, pool: 0, texts: "invalid998901234567BRANDżółć" },
    { app, status: 422, pool: 0, texts: "no-route15550123456" },
    { app, status: 403, pool: 0, texts: "forbidden998901234567c" },
  ]);
});

test("what a row cannot hold is left out, whatever the body is", () => {
  const rig = new IngressRig({ refusalsPerSMax: 100 });
  const bodies = [
    null,
    17,
    [],
    { to: 5, from: {}, reference: ["a"], campaign: null },
    { to: "9".repeat(10_000), reference: "\u0000", campaign: "\ud800" },
    Object.create({ to: "998901234567" }) as object,
  ];
  for (const body of bodies) assert.equal(post(rig, body), Admit.INVALID);
  rig.settle();
  assert.deepEqual(
    refusalsIn(rig).map(({ texts }) => texts),
    bodies.map(() => "invalid"),
  );
});

test("so many a second, the rest is counted; none where none are configured", () => {
  const rig = new IngressRig({ refusalsPerSMax: 3 });
  for (let i = 0; i < 10; i++) post(rig, {});
  rig.clock.nowMs += 1000;
  post(rig, {});
  rig.settle();
  assert.equal(refusalsIn(rig).length, 4);
  assert.equal(rig.metrics.read(Counter.refusalsUnrecorded), 7);
  const off = new IngressRig();
  post(off, {});
  off.settle();
  assert.deepEqual(refusalsIn(off), []);
});

test("a gateway that sheds writes nothing about it", () => {
  const rig = new IngressRig({ refusalsPerSMax: 10 });
  rig.ingress.drain();
  assert.equal(post(rig, { to: "+998901234567", text: "x" }), Admit.OVERLOADED);
  rig.settle();
  assert.deepEqual(refusalsIn(rig), []);
});
