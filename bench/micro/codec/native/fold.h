/*
 * What every contender of the codec bench folds: each mandatory field, strings by length and by the sum
 * of their octets, in the order of the specification. The JavaScript side folds the same (fold.ts).
 */
#ifndef FOLD_H
#define FOLD_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline uint32_t fold_int(uint32_t h, uint32_t v) { return h * 31u + v; }

static inline uint32_t fold_octets(uint32_t h, const uint8_t *from, uint32_t length) {
  uint32_t lanes = 0, i = 0, word;
  for (; i + 4 <= length; i += 4) {
    memcpy(&word, from + i, 4);
    lanes += (word & 0x00ff00ffu) + (word >> 8 & 0x00ff00ffu);
  }
  uint32_t sum = (lanes & 0xffff) + (lanes >> 16);
  for (; i < length; i++) sum += from[i];
  return fold_int(fold_int(h, length), sum);
}

/* Four one-octet fields as one number. */
static inline uint32_t word4(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return a | b << 8 | c << 16 | d << 24;
}

static inline uint32_t read32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

/* The whole corpus file: PDUs one after the other. */
static uint8_t *read_corpus(const char *path, size_t *size) {
  FILE *f = fopen(path, "rb");
  if (!f) { perror(path); exit(2); }
  fseek(f, 0, SEEK_END);
  *size = (size_t)ftell(f);
  rewind(f);
  uint8_t *bytes = malloc(*size + 1);
  if (fread(bytes, 1, *size, f) != *size) exit(2);
  fclose(f);
  return bytes;
}

typedef uint32_t (*round_fn)(const uint8_t *bytes, size_t size, uint32_t *count);

static int by_value(const void *a, const void *b) {
  double d = *(const double *)a - *(const double *)b;
  return d < 0 ? -1 : d > 0;
}

/* Runs rounds for about 400 ms and prints the median time per PDU and the checksum of one round. */
static int measure(const char *path, round_fn run) {
  static double times[100000];
  size_t size;
  uint8_t *bytes = read_corpus(path, &size);
  uint32_t count = 0, checksum = 0;
  for (int i = 0; i < 3; i++) checksum = run(bytes, size, &count);
  int rounds = 0;
  double start = now_ns();
  while (now_ns() - start < 4e8 && rounds < 100000) {
    double t = now_ns();
    if (run(bytes, size, &count) != checksum) return 3;
    times[rounds++] = (now_ns() - t) / count;
  }
  qsort(times, rounds, sizeof(double), by_value);
  printf("{\"nsPerPdu\":%.3f,\"checksum\":%u,\"count\":%u}\n", times[rounds / 2], checksum, count);
  return 0;
}
#endif
