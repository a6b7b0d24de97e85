/*
 * Lists what libsmpp34 unpacks, one line a PDU, for the differential test.
 *
 * stdin: PDUs one after the other. stdout: `name=value` separated by tabs, strings and octets in hex, or
 * `error <code>`. The library's own field tables are included as lists of macros that print.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <smpp34.h>
#include <smpp34_structs.h>

static void hex(const uint8_t *from, size_t n) {
  for (size_t i = 0; i < n; i++) printf("%02x", from[i]);
}

#undef U32
#undef U16
#undef U08
#undef O_C_OCTET
#undef C_OCTET
#undef OCTET8
#undef OCTET16
#undef TLV
#undef UUU
#undef DAD
#undef UU2
#undef UDAD
#undef instancia
#define instancia t->
#define U32(inst, par, str) { printf("%s=%u\t", #par, (unsigned)inst par); }
#define U16(inst, par, str) { printf("%s=%u\t", #par, (unsigned)inst par); }
#define U08(inst, par, str) { printf("%s=%u\t", #par, (unsigned)inst par); }
#define C_OCTET(inst, par, size) { printf("%s=", #par); hex(inst par, strnlen((const char *)inst par, size)); printf("\t"); }
#define O_C_OCTET(inst, par, size) C_OCTET(inst, par, size)
#define OCTET8(inst, par, size, lenval) { printf("%s=", #par); hex(inst par, lenval); printf("\t"); }
#define OCTET16(inst, par, size) { printf("%s=", #par); hex(inst par, inst length); printf("\t"); }
#define TLV(inst, par, do_tlv) for (tlv_t *x = inst par; x != NULL; x = x->next) { do_tlv(x) }
#define DAD(inst, par, do_dest) for (dad_t *x = inst par; x != NULL; x = x->next) { do_dest(x) }
#define UDAD(inst, par, do_dest) for (udad_t *x = inst par; x != NULL; x = x->next) { do_dest(x) }

#include "def_frame/bind_receiver_resp.tlv"
#include "def_frame/bind_transmitter_resp.tlv"
#include "def_frame/bind_transceiver_resp.tlv"
#include "def_frame/submit_sm.tlv"
#include "def_frame/deliver_sm.tlv"
#include "def_frame/data_sm.tlv"
#include "def_frame/data_sm_resp.tlv"
#include "def_frame/submit_multi.tlv"
#include "def_frame/submit_multi.dad"
#include "def_frame/submit_multi_resp.udad"
#include "def_frame/alert_notification.tlv"

#define LIST(id, name) \
  case id: { \
    name##_t *t = calloc(1, sizeof(name##_t)); \
    int result = smpp34_unpack2(t, bytes, (int)length); \
    if (result != 0) { printf("error %d", result); free(t); break; }

static void list(uint32_t id, const uint8_t *bytes, uint32_t length) {
  switch (id) {
    LIST(0x00000001, bind_receiver)
#include "def_frame/header.frame"
#include "def_frame/bind_receiver.frame"
      free(t);
      break;
    }
    LIST(0x80000001, bind_receiver_resp)
#include "def_frame/header.frame"
#include "def_frame/bind_receiver_resp.frame"
      free(t);
      break;
    }
    LIST(0x00000002, bind_transmitter)
#include "def_frame/header.frame"
#include "def_frame/bind_transmitter.frame"
      free(t);
      break;
    }
    LIST(0x80000002, bind_transmitter_resp)
#include "def_frame/header.frame"
#include "def_frame/bind_transmitter_resp.frame"
      free(t);
      break;
    }
    LIST(0x00000009, bind_transceiver)
#include "def_frame/header.frame"
#include "def_frame/bind_transceiver.frame"
      free(t);
      break;
    }
    LIST(0x80000009, bind_transceiver_resp)
#include "def_frame/header.frame"
#include "def_frame/bind_transceiver_resp.frame"
      free(t);
      break;
    }
    LIST(0x0000000b, outbind)
#include "def_frame/header.frame"
#include "def_frame/outbind.frame"
      free(t);
      break;
    }
    LIST(0x00000006, unbind)
#include "def_frame/header.frame"
      free(t);
      break;
    }
    LIST(0x80000006, unbind_resp)
#include "def_frame/header.frame"
      free(t);
      break;
    }
    case 0x80000015:
    LIST(0x00000015, enquire_link)
#include "def_frame/header.frame"
      free(t);
      break;
    }
    LIST(0x80000000, generic_nack)
#include "def_frame/header.frame"
      free(t);
      break;
    }
    LIST(0x00000004, submit_sm)
#include "def_frame/header.frame"
#include "def_frame/submit_sm.frame"
      free(t);
      break;
    }
    LIST(0x80000004, submit_sm_resp)
#include "def_frame/header.frame"
#include "def_frame/submit_sm_resp.frame"
      free(t);
      break;
    }
    LIST(0x00000005, deliver_sm)
#include "def_frame/header.frame"
#include "def_frame/deliver_sm.frame"
      free(t);
      break;
    }
    LIST(0x80000005, deliver_sm_resp)
#include "def_frame/header.frame"
#include "def_frame/deliver_sm_resp.frame"
      free(t);
      break;
    }
    LIST(0x00000103, data_sm)
#include "def_frame/header.frame"
#include "def_frame/data_sm.frame"
      free(t);
      break;
    }
    LIST(0x80000103, data_sm_resp)
#include "def_frame/header.frame"
#include "def_frame/data_sm_resp.frame"
      free(t);
      break;
    }
    LIST(0x00000003, query_sm)
#include "def_frame/header.frame"
#include "def_frame/query_sm.frame"
      free(t);
      break;
    }
    LIST(0x80000003, query_sm_resp)
#include "def_frame/header.frame"
#include "def_frame/query_sm_resp.frame"
      free(t);
      break;
    }
    LIST(0x00000008, cancel_sm)
#include "def_frame/header.frame"
#include "def_frame/cancel_sm.frame"
      free(t);
      break;
    }
    LIST(0x80000008, cancel_sm_resp)
#include "def_frame/header.frame"
      free(t);
      break;
    }
    LIST(0x00000007, replace_sm)
#include "def_frame/header.frame"
#include "def_frame/replace_sm.frame"
      free(t);
      break;
    }
    LIST(0x80000007, replace_sm_resp)
#include "def_frame/header.frame"
      free(t);
      break;
    }
    LIST(0x00000021, submit_multi)
#include "def_frame/header.frame"
#include "def_frame/submit_multi.frame"
      free(t);
      break;
    }
    LIST(0x80000021, submit_multi_resp)
#include "def_frame/header.frame"
#include "def_frame/submit_multi_resp.frame"
      free(t);
      break;
    }
    LIST(0x00000102, alert_notification)
#include "def_frame/header.frame"
#include "def_frame/alert_notification.frame"
      free(t);
      break;
    }
    default:
      printf("error unknown");
  }
}

int main(void) {
  static uint8_t bytes[80000];
  while (fread(bytes, 1, 4, stdin) == 4) {
    uint32_t length = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    if (length < 16 || length > sizeof bytes || fread(bytes + 4, 1, length - 4, stdin) != length - 4) return 2;
    uint32_t id = (uint32_t)bytes[4] << 24 | (uint32_t)bytes[5] << 16 | (uint32_t)bytes[6] << 8 | bytes[7];
    list(id, bytes, length);
    putchar('\n');
  }
  return 0;
}
