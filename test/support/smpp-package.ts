/** The npm package `smpp` as an ESME written by somebody else; it comes without types. */
import { createRequire } from "node:module";

/**
 * A PDU as that package shows it: header fields and body fields by their names in the
 * specification.
 */
export interface PackagePdu {
  readonly command: string;
  readonly command_id: number;
  readonly command_status: number;
  readonly sequence_number: number;
  readonly message_id?: string;
  readonly system_id?: string;
  readonly esm_class?: number;
  readonly source_addr?: string;
  readonly destination_addr?: string;
  readonly short_message?: { readonly message: string | Uint8Array };
  readonly receipted_message_id?: string;
  readonly message_state?: number;
  response(fields?: object): PackagePdu;
}

type Answered = (pdu: PackagePdu) => void;
type Request = (fields: object, answered?: Answered) => boolean;

/** A client session; every request method exists, these are the ones used here. */
export interface PackageSession {
  readonly bind_transceiver: Request;
  readonly bind_transmitter: Request;
  readonly bind_receiver: Request;
  readonly submit_sm: Request;
  readonly enquire_link: Request;
  readonly unbind: Request;
  readonly query_sm: Request;
  readonly socket: { write(bytes: Uint8Array): boolean };
  on(event: string, listener: (value: PackagePdu) => void): void;
  send(pdu: PackagePdu): boolean;
  close(): void;
  destroy(): void;
}

interface SmppPackage {
  connect(options: { host: string; port: number }, connected?: () => void): PackageSession;
}

const smpp = createRequire(import.meta.url)("smpp") as SmppPackage;

/** Connects to an SMSC on loopback; resolves when TCP stands. */
export function connectPackage(port: number): Promise<PackageSession> {
  return new Promise((resolve, reject) => {
    const session = smpp.connect({ host: "127.0.0.1", port }, () => resolve(session));
    session.on("error", (error) => reject(error as unknown as Error));
  });
}

/** Sends one request and resolves with its response. */
export function ask(
  session: PackageSession,
  command:
    | "bind_transceiver"
    | "bind_transmitter"
    | "bind_receiver"
    | "submit_sm"
    | "enquire_link"
    | "unbind"
    | "query_sm",
  fields: object = {},
): Promise<PackagePdu> {
  return new Promise((resolve) => {
    session[command](fields, resolve);
  });
}
