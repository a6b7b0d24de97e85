/**
 * What one PDU of the peer means for a connection: which of its methods it calls, and what is
 * answered.
 *
 *   submit_sm_resp, generic_nack ──► answered       deliver_sm, data_sm ──► receipts, else refused
 *   bind_*_resp ──► bindAnswered                    enquire_link ──► enquire_link_resp
 *   unbind ──► unbind_resp, session ends            other requests ──► generic_nack 03, it lives
 *
 * The frame is known to be whole; nothing in it can throw. One thread.
 */
import {
  COMMAND_ID,
  COMMAND_STATUS,
  expectsResponse,
  HEADER_LENGTH,
  isResponseId,
  messageIdEnd,
  readCommandId,
  readCommandStatus,
  readSequenceNumber,
  responseIdOf,
} from "../../codec/index.ts";
import { SessionState } from "../../tables/link-table.ts";
import type { Connection } from "./connection.ts";
import type { ReceiptIntake } from "../receipt.ts";
import { ANSWER_LATER } from "../receipt.ts";

/** Reads the PDU in bytes [start, end). There must be room in the staging ring for one record. */
export function readPdu(
  connection: Connection,
  receipts: ReceiptIntake,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const commandId = readCommandId(bytes, start);
  const sequenceNumber = readSequenceNumber(bytes, start);
  if (commandId === COMMAND_ID.submit_sm_resp || commandId === COMMAND_ID.generic_nack) {
    readAnswer(connection, bytes, start, end, commandId === COMMAND_ID.generic_nack);
  } else if (isResponseId(commandId)) {
    readResponse(connection, commandId, readCommandStatus(bytes, start));
  } else if (commandId === COMMAND_ID.enquire_link) {
    connection.reply(COMMAND_ID.enquire_link_resp, COMMAND_STATUS.ESME_ROK, sequenceNumber);
  } else if (commandId === COMMAND_ID.unbind) {
    connection.peerUnbinds(sequenceNumber);
  } else if (connection.times.state === SessionState.BINDING) {
    refuseUnbound(connection, commandId, sequenceNumber);
  } else if (commandId === COMMAND_ID.deliver_sm || commandId === COMMAND_ID.data_sm) {
    const commandStatus = receipts.take(connection, bytes, start, end);
    if (commandStatus === ANSWER_LATER) connection.awaitReceipt();
    else connection.reply(responseIdOf(commandId), commandStatus, sequenceNumber);
  } else if (expectsResponse(commandId)) {
    connection.noteAnomaly("a request that no SMSC sends");
    connection.reply(COMMAND_ID.generic_nack, COMMAND_STATUS.ESME_RINVCMDID, sequenceNumber);
  }
}

function readAnswer(
  connection: Connection,
  bytes: Uint8Array,
  start: number,
  end: number,
  isNack: boolean,
): void {
  const commandStatus = readCommandStatus(bytes, start);
  if (connection.times.state === SessionState.BINDING) {
    if (isNack) connection.bindAnswered(COMMAND_ID.generic_nack, commandStatus);
    else connection.noteAnomaly("a response before the bind");
    return;
  }
  const idStart = Math.min(start + HEADER_LENGTH, end);
  const idEnd = isNack ? idStart : messageIdEnd(bytes, start, end);
  const sequenceNumber = readSequenceNumber(bytes, start);
  const { session } = connection;
  session.answered(connection, sequenceNumber, commandStatus, isNack, bytes, idStart, idEnd);
}

function readResponse(connection: Connection, commandId: number, commandStatus: number): void {
  switch (commandId) {
    case COMMAND_ID.bind_transceiver_resp:
    case COMMAND_ID.bind_transmitter_resp:
    case COMMAND_ID.bind_receiver_resp:
      connection.bindAnswered(commandId, commandStatus);
      break;
    case COMMAND_ID.enquire_link_resp:
      // Any PDU is a sign of life; this one says no more.
      break;
    case COMMAND_ID.unbind_resp:
      connection.unbindAnswered();
      break;
    default:
      connection.noteAnomaly("a response to nothing we asked");
  }
}

/** Spec 2.2: before the bind, nothing but bind, enquire_link and unbind is legal. */
function refuseUnbound(connection: Connection, commandId: number, sequenceNumber: number): void {
  connection.noteAnomaly("a request before the bind");
  if (!expectsResponse(commandId)) return;
  const isKnown = commandId === COMMAND_ID.deliver_sm || commandId === COMMAND_ID.data_sm;
  const responseId = isKnown ? responseIdOf(commandId) : COMMAND_ID.generic_nack;
  const status = isKnown ? COMMAND_STATUS.ESME_RINVBNDSTS : COMMAND_STATUS.ESME_RINVCMDID;
  connection.reply(responseId, status, sequenceNumber);
}
