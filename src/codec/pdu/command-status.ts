/**
 * Every command_status of SMPP v3.4 (and the 5.0 codes met in the field) with the class that says
 * what a sender may do next.
 *
 *   OK  accepted
 *   T   transient: retry on the same link after a delay
 *   B   throttled: slow the link, retry on the same link
 *   O   try another link once, then treat as T
 *   P   this message fails for good
 *   F   the session is broken or refused: unbind or close, alarm, rebind slowly; the message
 *       itself counts as O
 *
 * The table is a default: links override single codes, and no vendor meaning is built in. Pure
 * data; any thread may read it.
 */

export type StatusClass = "OK" | "T" | "B" | "O" | "P" | "F";

/** SMPP command_status values (spec 5.1.3, SMPP 5.0 for 0x100 and above). */
export const COMMAND_STATUS = {
  ESME_ROK: 0x00,
  ESME_RINVMSGLEN: 0x01,
  ESME_RINVCMDLEN: 0x02,
  ESME_RINVCMDID: 0x03,
  ESME_RINVBNDSTS: 0x04,
  ESME_RALYBND: 0x05,
  ESME_RINVPRTFLG: 0x06,
  ESME_RINVREGDLVFLG: 0x07,
  ESME_RSYSERR: 0x08,
  ESME_RINVSRCADR: 0x0a,
  ESME_RINVDSTADR: 0x0b,
  ESME_RINVMSGID: 0x0c,
  ESME_RBINDFAIL: 0x0d,
  ESME_RINVPASWD: 0x0e,
  ESME_RINVSYSID: 0x0f,
  ESME_RCANCELFAIL: 0x11,
  ESME_RREPLACEFAIL: 0x13,
  ESME_RMSGQFUL: 0x14,
  ESME_RINVSERTYP: 0x15,
  ESME_RINVNUMDESTS: 0x33,
  ESME_RINVDLNAME: 0x34,
  ESME_RINVDESTFLAG: 0x40,
  ESME_RINVSUBREP: 0x42,
  ESME_RINVESMCLASS: 0x43,
  ESME_RCNTSUBDL: 0x44,
  ESME_RSUBMITFAIL: 0x45,
  ESME_RINVSRCTON: 0x48,
  ESME_RINVSRCNPI: 0x49,
  ESME_RINVDSTTON: 0x50,
  ESME_RINVDSTNPI: 0x51,
  ESME_RINVSYSTYP: 0x53,
  ESME_RINVREPFLAG: 0x54,
  ESME_RINVNUMMSGS: 0x55,
  ESME_RTHROTTLED: 0x58,
  ESME_RINVSCHED: 0x61,
  ESME_RINVEXPIRY: 0x62,
  ESME_RINVDFTMSGID: 0x63,
  ESME_RX_T_APPN: 0x64,
  ESME_RX_P_APPN: 0x65,
  ESME_RX_R_APPN: 0x66,
  ESME_RQUERYFAIL: 0x67,
  ESME_RINVOPTPARSTREAM: 0xc0,
  ESME_ROPTPARNOTALLWD: 0xc1,
  ESME_RINVPARLEN: 0xc2,
  ESME_RMISSINGOPTPARAM: 0xc3,
  ESME_RINVOPTPARAMVAL: 0xc4,
  ESME_RDELIVERYFAILURE: 0xfe,
  ESME_RUNKNOWNERR: 0xff,
  ESME_RSERTYPUNAUTH: 0x100,
  ESME_RPROHIBITED: 0x101,
  ESME_RSERTYPUNAVAIL: 0x102,
  ESME_RSERTYPDENIED: 0x103,
  ESME_RINVDCS: 0x104,
  ESME_RINVSRCADDRSUBUNIT: 0x105,
  ESME_RINVDSTADDRSUBUNIT: 0x106,
  ESME_RINVBCASTFREQINT: 0x107,
  ESME_RINVBCASTALIAS_NAME: 0x108,
  ESME_RINVBCASTAREAFMT: 0x109,
  ESME_RINVNUMBCAST_AREAS: 0x10a,
  ESME_RINVBCASTCNTTYPE: 0x10b,
  ESME_RINVBCASTMSGCLASS: 0x10c,
  ESME_RBCASTFAIL: 0x10d,
  ESME_RBCASTQUERYFAIL: 0x10e,
  ESME_RBCASTCANCELFAIL: 0x10f,
  ESME_RINVBCAST_REP: 0x110,
  ESME_RINVBCASTSRVGRP: 0x111,
  ESME_RINVBCASTCHANIND: 0x112,
} as const;

export type StatusName = keyof typeof COMMAND_STATUS;

const CLASS_NAMES: readonly StatusClass[] = ["OK", "T", "B", "O", "P", "F"];

/** Codes that are not P. Every other defined code is P; every undefined one is O, then P. */
const CLASS_EXCEPTIONS: Readonly<Partial<Record<StatusName, StatusClass>>> = {
  ESME_ROK: "OK",
  ESME_RINVBNDSTS: "F",
  ESME_RALYBND: "F",
  ESME_RSYSERR: "T",
  ESME_RBINDFAIL: "F",
  ESME_RINVPASWD: "F",
  ESME_RINVSYSID: "F",
  ESME_RMSGQFUL: "B",
  ESME_RSUBMITFAIL: "O",
  ESME_RINVSYSTYP: "F",
  ESME_RTHROTTLED: "B",
  ESME_RX_T_APPN: "T",
  ESME_RQUERYFAIL: "T",
  ESME_RUNKNOWNERR: "O",
  ESME_RSERTYPUNAUTH: "O",
  ESME_RPROHIBITED: "O",
  ESME_RSERTYPUNAVAIL: "T",
};

const names = new Map<number, StatusName>(
  (Object.keys(COMMAND_STATUS) as StatusName[]).map((name) => [COMMAND_STATUS[name], name]),
);

/** The spec's name of a command_status, or undefined for a reserved or vendor code. */
export function statusNameOf(commandStatus: number): StatusName | undefined {
  return names.get(commandStatus);
}

/**
 * The default class of a command_status met in a response; codes that nobody defined are 'O'.
 * Two codes depend on where they were met: see `statusClassInNack` and
 * `statusClassOfDeliveryFailure`.
 */
export function statusClassOf(commandStatus: number): StatusClass {
  const name = names.get(commandStatus);
  if (name === undefined) return "O";
  return CLASS_EXCEPTIONS[name] ?? "P";
}

/**
 * The class of a command_status met in a generic_nack: a bad length there means the stream is out
 * of step.
 */
export function statusClassInNack(commandStatus: number): StatusClass {
  if (commandStatus === COMMAND_STATUS.ESME_RINVCMDLEN) return "F";
  return statusClassOf(commandStatus);
}

/**
 * The class of ESME_RDELIVERYFAILURE by its TLV delivery_failure_reason (spec 5.3.2.33):
 * 0 unavailable and 3 temporary network error are T; everything else is P.
 */
export function statusClassOfDeliveryFailure(deliveryFailureReason: number): StatusClass {
  return deliveryFailureReason === 0 || deliveryFailureReason === 3 ? "T" : "P";
}

/**
 * Builds one lookup table per link: index = command_status (codes from 0x500 on use the last
 * entry), value = index into `STATUS_CLASSES`. `overrides` maps a code to the class this operator
 * means by it.
 */
export function createStatusClassTable(
  overrides: Readonly<Record<number, StatusClass>> = {},
): Uint8Array {
  const table = new Uint8Array(0x501);
  for (let code = 0; code < table.length; code++) {
    table[code] = CLASS_NAMES.indexOf(overrides[code] ?? statusClassOf(code));
  }
  return table;
}

/** The classes in the order that `createStatusClassTable` counts them. */
export const STATUS_CLASSES: readonly StatusClass[] = CLASS_NAMES;

/**
 * Looks a command_status up in a table of `createStatusClassTable`; returns an index into
 * STATUS_CLASSES.
 */
export function lookUpStatusClass(table: Uint8Array, commandStatus: number): number {
  return table[commandStatus >= 0 && commandStatus < 0x500 ? commandStatus : 0x500]!;
}
