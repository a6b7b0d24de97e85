/**
 * Admission of a message in process, without HTTP: checked, routed, charged and encoded as a record
 * in the staging ring, from the bytes of its body, beside JSON.parse of the same bytes.
 */
import { readJson } from "../../../src/ingress/http/json-body.ts";
import { UNKNOWN_ADDRESS } from "../../../src/ingress/http/address-filter.ts";
import { Admission, Admit } from "../../../src/ingress/admission/admission.ts";
import { messageText } from "../../../src/cli/load/requests.ts";
import { IngressRig } from "../../../test/unit/ingress/rig.ts";
import { InstantJournal } from "../../pipeline/instant-journal.ts";
import { type MicroRow, type MicroSpan, nsOf } from "../row.ts";

const CALLS = 200;
const SCOPES_ALL = -1;

const CONFIG = `
node: { name: gw-1 }
apps: [{ id: 1, name: demo, rate_tps: null, scopes: [send] }]
links: [{ id: 100, host: 127.0.0.1, port: 2775, system_id: a }]
pools: [{ id: 1000, name: main, members: [{ link: 100, weight: 1 }] }]
routes: [{ prefix: "998", to: 1000 }]
auth: { jwt: { secret_file: secret } }
workers: { count: 2 }
journal: { bytes_max: 268435456, segment_bytes: 8388608 }
`;

export async function runAdmissionBench(span: MicroSpan): Promise<MicroRow[]> {
  const rig = new IngressRig({ config: CONFIG });
  const journal = new InstantJournal();
  const appender = journal.appender();
  const admission = new Admission(
    { ...rig.admissionOptions(), appender },
    () => rig.ingress.dispatcher,
  );
  const bodies = Array.from({ length: CALLS }, (_, i) => Buffer.from(messageText(i, false)));
  const visitor = { onCommitted: (): void => undefined };
  const admit = (): void => {
    for (const bytes of bodies) {
      const code = admission.admit(0, readJson(bytes, []), SCOPES_ALL, UNKNOWN_ADDRESS);
      if (code !== Admit.STAGED) throw new Error(`the message was refused: ${code}`);
    }
    appender.publish();
    journal.commit();
    appender.pollCommitted(visitor);
  };
  const parse = (): number => {
    let length = 0;
    for (const bytes of bodies) {
      length += (JSON.parse(bytes.toString("utf8")) as { text: string }).text.length;
    }
    return length;
  };
  return [
    {
      what: "admission: body → ACCEPT, committed at once",
      ns: await nsOf(admit, CALLS, span),
      reference: "JSON.parse",
      referenceNs: await nsOf(parse, CALLS, span),
    },
  ];
}
