/*
 * libsmpp34 (Debian) under the same corpus and the same fold. Its unpack copies every field into a
 * struct; its pack fills a buffer from one.
 *
 *   libsmpp34 submit|deliver|resp|encode corpus
 */
#include "fold.h"
#include <smpp34.h>
#include <smpp34_structs.h>

static uint32_t fold_c_string(uint32_t h, const uint8_t *s) {
  return fold_octets(h, s, (uint32_t)strlen((const char *)s));
}

#define FOLD_SM(h, m) \
  h = fold_int(h, m.sequence_number); \
  h = fold_int(h, word4(m.source_addr_ton, m.source_addr_npi, m.dest_addr_ton, m.dest_addr_npi)); \
  h = fold_int(h, word4(m.esm_class, m.protocol_id, m.priority_flag, m.registered_delivery)); \
  h = fold_int(h, word4(m.replace_if_present_flag, m.data_coding, m.sm_default_msg_id, 0)); \
  h = fold_c_string(h, m.service_type); \
  h = fold_c_string(h, m.source_addr); \
  h = fold_c_string(h, m.destination_addr); \
  h = fold_c_string(h, m.schedule_delivery_time); \
  h = fold_c_string(h, m.validity_period); \
  h = fold_octets(h, m.short_message, m.sm_length);

static uint32_t round_submit(const uint8_t *bytes, size_t size, uint32_t *count) {
  static submit_sm_t m;
  uint32_t h = 0, n = 0;
  for (const uint8_t *p = bytes; p < bytes + size; p += read32(p), n++) {
    memset(&m, 0, sizeof m);
    if (smpp34_unpack2(&m, p, (int)read32(p)) != 0) exit(3);
    FOLD_SM(h, m)
  }
  *count = n;
  return h;
}

static uint32_t round_deliver(const uint8_t *bytes, size_t size, uint32_t *count) {
  static deliver_sm_t m;
  uint32_t h = 0, n = 0;
  for (const uint8_t *p = bytes; p < bytes + size; p += read32(p), n++) {
    memset(&m, 0, sizeof m);
    if (smpp34_unpack2(&m, p, (int)read32(p)) != 0) exit(3);
    FOLD_SM(h, m)
  }
  *count = n;
  return h;
}

static uint32_t round_resp(const uint8_t *bytes, size_t size, uint32_t *count) {
  static submit_sm_resp_t m;
  uint32_t h = 0, n = 0;
  for (const uint8_t *p = bytes; p < bytes + size; p += read32(p), n++) {
    memset(&m, 0, sizeof m);
    if (smpp34_unpack2(&m, p, (int)read32(p)) != 0) exit(3);
    h = fold_int(fold_int(h, m.command_status), m.sequence_number);
    h = fold_c_string(h, m.message_id);
  }
  *count = n;
  return h;
}

static uint32_t round_encode(const uint8_t *bytes, size_t size, uint32_t *count) {
  static submit_sm_t *messages;
  static uint32_t total;
  static uint8_t out[1024];
  if (!messages) {
    messages = calloc(20000, sizeof(submit_sm_t));
    for (const uint8_t *p = bytes; p < bytes + size; p += read32(p)) {
      if (smpp34_unpack2(&messages[total++], p, (int)read32(p)) != 0) exit(3);
    }
  }
  uint32_t h = 0;
  for (uint32_t i = 0; i < total; i++) {
    int length = 0;
    messages[i].command_length = 0;
    messages[i].sequence_number = i + 1;
    if (smpp34_pack2(out, sizeof out, &length, &messages[i]) != 0) exit(3);
    h = fold_int(fold_int(fold_int(h, (uint32_t)length), out[20]), out[length - 1]);
  }
  *count = total;
  return h;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  if (!strcmp(argv[1], "submit")) return measure(argv[2], round_submit);
  if (!strcmp(argv[1], "deliver")) return measure(argv[2], round_deliver);
  if (!strcmp(argv[1], "resp")) return measure(argv[2], round_resp);
  if (!strcmp(argv[1], "encode")) return measure(argv[2], round_encode);
  return 2;
}
