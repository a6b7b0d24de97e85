/**
 * What went wrong on a socket, as an operator reads it: the presumed cause, then the code. Pure.
 */
const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "reset by the peer",
  EPIPE: "closed by the peer while we wrote",
  ETIMEDOUT: "the network gave up",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to the network",
  ENOTFOUND: "the host name does not resolve",
  EAI_AGAIN: "the name server does not answer",
  EMFILE: "too many open files",
  ENOENT: "a certificate file is missing",
  EACCES: "a certificate file cannot be read",
  DEPTH_ZERO_SELF_SIGNED_CERT: "TLS: the SMSC's certificate is self-signed; set tls.ca_file",
  SELF_SIGNED_CERT_IN_CHAIN: "TLS: the SMSC's chain ends in an unknown authority; set tls.ca_file",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "TLS: the SMSC's authority is unknown; set tls.ca_file",
  UNABLE_TO_GET_ISSUER_CERT: "TLS: the SMSC's chain is incomplete",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "TLS: the SMSC's authority is unknown; set tls.ca_file",
  CERT_HAS_EXPIRED: "TLS: the SMSC's certificate has expired",
  CERT_NOT_YET_VALID: "TLS: the SMSC's certificate is not valid yet",
  CERT_SIGNATURE_FAILURE: "TLS: the SMSC's certificate is forged or of another authority",
  ERR_TLS_CERT_ALTNAME_INVALID:
    "TLS: the SMSC's certificate is for another name; set tls.server_name",
  ERR_SSL_WRONG_VERSION_NUMBER: "TLS: the peer does not speak TLS on this port",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "TLS: the peer does not speak TLS on this port",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    "TLS: the SMSC wants a client certificate; set tls.cert_file",
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: "TLS: the SMSC refuses our certificate",
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: "TLS: no common terms, or a client certificate is wanted",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "TLS: the SMSC does not know our certificate's authority",
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: "TLS: no common version",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: "TLS: our certificate has expired",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: "TLS: the SMSC refuses our certificate",
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: "TLS: tls.key_file does not belong to tls.cert_file",
  ERR_OSSL_PEM_NO_START_LINE: "TLS: a certificate or key is no PEM",
};

/** `<meaning> (<code>)`, or what the error itself says. */
export function describeSocketError(error: {
  readonly code?: string | undefined;
  readonly message: string;
}): string {
  const { code } = error;
  if (code === undefined) return error.message;
  const meaning = MEANINGS[code];
  return meaning === undefined ? `${error.message} (${code})` : `${meaning} (${code})`;
}
