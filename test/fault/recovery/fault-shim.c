/*
 * A shim between the gateway and the system (LD_PRELOAD), for tests of recovery: at the n-th call of a
 * kind it ends the process by SIGKILL (before the call, in its middle, after it), lets calls fail
 * with an errno, or delays them.
 *
 * FAULT_SHIM_CONTROL names a file of 32-bit words that the test writes and this maps; fault-shim.ts has
 * the same layout:
 *
 *   0 kind   1 action   2 calls of that kind to let pass   3 errno, or ms of a delay
 *   4 calls hit (counted here)   5 bytes that may still be written to the log's files, or -1
 *
 * FAULT_SHIM_SYNCS names a file that gets a line for every sync of the log's files and the store:
 *   <pid> <kind> <inode> <0 or errno>       and one, with -1, for every segment that is removed
 *
 * A sync of the log that fails also overwrites with zeros what it was to make durable, as a disk that
 * has lost it would show it. What the shim recognises, it recognises by what every outsider sees: names of files and bytes on sockets.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind {
  NONE, LOG_BLOCK, LOG_ZEROS, LOG_SYNC, SEGMENT_MAKE, SEGMENT_REMOVE, STORE_WRITE, STORE_SYNC,
  CDR_WRITE, CDR_SYNC, CDR_RENAME, REQUEST_READ, REPLY_202, SUBMIT_WRITE, ANSWER_READ,
  RECEIPT_READ, RECEIPT_ANSWER, EPOCH_RENAME, DIRECTORY_SYNC, STORE_GROW, SEGMENT_CUT, LOG_READ,
  WORKER_LOG_READ
};
enum action { PASS, KILL_BEFORE, KILL_MIDDLE, KILL_AFTER, FAIL, DELAY };
enum { KIND, ACTION, TO_PASS, VALUE, HITS, LOG_ROOM, WORDS };

static volatile int32_t nothing[WORDS] = { 0, 0, 0, 0, 0, -1 };
static volatile int32_t *control = nothing;
static int syncs = -1;

__attribute__((constructor)) static void map_control(void) {
  const char *path = getenv("FAULT_SHIM_CONTROL");
  if (path == NULL) return;
  int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *words = mmap(NULL, sizeof nothing, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (words != MAP_FAILED) control = words;
  syscall(SYS_close, fd);
  path = getenv("FAULT_SHIM_SYNCS");
  if (path != NULL) {
    syncs = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
}

static void end_process(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

/* What is to be done at this call of `kind`: an action that is due now, or PASS. */
static enum action due(enum kind kind) {
  if (kind == NONE || control[KIND] != (int32_t)kind) return PASS;
  if (__atomic_fetch_sub(&control[TO_PASS], 1, __ATOMIC_SEQ_CST) > 0) return PASS;
  __atomic_fetch_add(&control[HITS], 1, __ATOMIC_SEQ_CST);
  enum action action = control[ACTION];
  if (action == KILL_BEFORE) end_process();
  if (action == DELAY) {
    struct timespec time = { control[VALUE] / 1000, control[VALUE] % 1000 * 1000000L };
    nanosleep(&time, NULL);
  }
  if (action == FAIL) errno = control[VALUE];
  return action;
}

static long ended(enum action action, long result) {
  if (action == KILL_AFTER) end_process();
  return result;
}

static int is_segment(const char *path) {
  const char *name = strrchr(path, '/');
  return strncmp(name == NULL ? path : name + 1, "log-", 4) == 0 && strstr(path, "/log/") == NULL;
}

/* Path of an open file, "" if it has none. */
static void path_of(int fd, char *path, size_t size) {
  char link[40];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, size - 1);
  path[length < 0 ? 0 : length] = 0;
}

static uint32_t big_endian(const unsigned char *at) {
  return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

/* Whether whole SMPP PDUs stand at the start of `bytes`, one of them with this command_id. */
static int has_pdu(const unsigned char *bytes, size_t length, uint32_t command_id) {
  size_t at = 0;
  while (length - at >= 16) {
    uint32_t pdu = big_endian(bytes + at);
    if (pdu < 16 || pdu > 65536) return 0;
    if (big_endian(bytes + at + 4) == command_id) return 1;
    if (pdu > length - at) return 0;
    at += pdu;
  }
  return 0;
}

/* Whether this thread has bound to an SMSC or submitted to it since reads of the log are asked for. */
static __thread int is_worker;

static enum kind kind_of_write(int fd, const void *from, size_t length) {
  const unsigned char *bytes = from;
  if (length >= 12 && memcmp(bytes, "HTTP/1.1 202", 12) == 0) return REPLY_202;
  if (control[KIND] == LOG_READ || control[KIND] == WORKER_LOG_READ) {
    is_worker |= has_pdu(bytes, length, 9) || has_pdu(bytes, length, 4);
  }
  if (control[KIND] == SUBMIT_WRITE && has_pdu(bytes, length, 4)) return SUBMIT_WRITE;
  if (control[KIND] == RECEIPT_ANSWER && has_pdu(bytes, length, 0x80000005)) return RECEIPT_ANSWER;
  char path[4096];
  path_of(fd, path, sizeof path);
  if (path[0] != '/') return NONE;
  if (is_segment(path)) {
    return length >= 4 && memcmp(bytes, "SGJ1", 4) == 0 ? LOG_BLOCK : LOG_ZEROS;
  }
  if (strstr(path, "/ledger/") != NULL) return STORE_WRITE;
  return strstr(path, "/cdr/") != NULL ? CDR_WRITE : NONE;
}

/* Counts growth of the log against its room; whether it is over. */
static int is_full(int fd, size_t length, off_t offset) {
  if (control[LOG_ROOM] < 0) return 0;
  struct stat status;
  if (fstat(fd, &status) != 0 || offset + (off_t)length <= status.st_size) return 0;
  if (__atomic_sub_fetch(&control[LOG_ROOM], (int32_t)length, __ATOMIC_SEQ_CST) >= 0) return 0;
  control[LOG_ROOM] = 0;
  errno = ENOSPC;
  return 1;
}

/* A write to the store that takes room on the disk is a kind of its own while that is asked for. */
static enum kind or_growth(enum kind kind, int fd, size_t length, off_t offset) {
  struct stat status;
  if (kind != STORE_WRITE || control[KIND] != STORE_GROW) return kind;
  int appends = offset < 0 && (fcntl(fd, F_GETFL) & O_APPEND) != 0;
  if (appends) return STORE_GROW;
  if (offset < 0 || fstat(fd, &status) != 0) return kind;
  return offset + (off_t)length > status.st_size ? STORE_GROW : kind;
}

/* Blocks written since the last sync of their file; the one thread that writes them syncs them. */
static int unsynced_fd = -1;
static off_t unsynced_from, unsynced_to;

static void note_block(int fd, size_t length, off_t offset) {
  if (fd != unsynced_fd || unsynced_from == unsynced_to) unsynced_from = offset;
  unsynced_fd = fd;
  unsynced_to = offset + (off_t)length;
}

/* A failed sync loses what it was to make durable; the pages count as clean from then on. */
static void forget_blocks(int fd) {
  static const char zeros[4096];
  if (fd != unsynced_fd) return;
  for (off_t at = unsynced_from; at < unsynced_to; at += sizeof zeros) {
    size_t rest = unsynced_to - at;
    syscall(SYS_pwrite64, fd, zeros, rest < sizeof zeros ? rest : sizeof zeros, at);
  }
  unsynced_from = unsynced_to;
}

ssize_t pwrite(int fd, const void *from, size_t length, off_t offset) {
  enum kind kind = or_growth(kind_of_write(fd, from, length), fd, length, offset);
  enum action action = due(kind);
  if (kind == LOG_BLOCK) note_block(fd, length, offset);
  if (action == FAIL) return -1;
  if ((kind == LOG_BLOCK || kind == LOG_ZEROS) && is_full(fd, length, offset)) return -1;
  if (action == KILL_MIDDLE) {
    syscall(SYS_pwrite64, fd, from, length / 2, offset);
    end_process();
  }
  return ended(action, syscall(SYS_pwrite64, fd, from, length, offset));
}

ssize_t pwrite64(int fd, const void *from, size_t length, off_t offset) {
  return pwrite(fd, from, length, offset);
}

ssize_t write(int fd, const void *from, size_t length) {
  enum action action = due(or_growth(kind_of_write(fd, from, length), fd, length, -1));
  if (action == FAIL) return -1;
  if (action == KILL_MIDDLE) {
    syscall(SYS_write, fd, from, length / 2);
    end_process();
  }
  return ended(action, syscall(SYS_write, fd, from, length));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  enum kind kind = count > 0 ? kind_of_write(fd, parts[0].iov_base, parts[0].iov_len) : NONE;
  enum action action = due(kind);
  if (action == FAIL) return -1;
  if (action == KILL_MIDDLE) {
    syscall(SYS_write, fd, parts[0].iov_base, parts[0].iov_len / 2);
    end_process();
  }
  return ended(action, syscall(SYS_writev, fd, parts, count));
}

ssize_t send(int fd, const void *from, size_t length, int flags) {
  enum action action = due(kind_of_write(fd, from, length));
  if (action == KILL_MIDDLE) {
    syscall(SYS_sendto, fd, from, length / 2, flags, NULL, 0);
    end_process();
  }
  return ended(action, syscall(SYS_sendto, fd, from, length, flags, NULL, 0));
}

ssize_t read(int fd, void *into, size_t length) {
  ssize_t got = syscall(SYS_read, fd, into, length);
  if (got < 16) return got;
  if (control[KIND] == ANSWER_READ && has_pdu(into, got, 0x80000004)) due(ANSWER_READ);
  if (control[KIND] == RECEIPT_READ && has_pdu(into, got, 5)) due(RECEIPT_READ);
  return got;
}

/* A worker reads single messages; the other threads read the log, too. */
ssize_t pread(int fd, void *into, size_t length, off_t offset) {
  enum kind kind = is_worker ? WORKER_LOG_READ : LOG_READ;
  char path[4096] = "";
  if (control[KIND] == (int32_t)kind) path_of(fd, path, sizeof path);
  enum action action = due(is_segment(path) ? kind : NONE);
  if (action == FAIL) return -1;
  return ended(action, syscall(SYS_pread64, fd, into, length, offset));
}

ssize_t pread64(int fd, void *into, size_t length, off_t offset) {
  return pread(fd, into, length, offset);
}

ssize_t recv(int fd, void *into, size_t length, int flags) {
  ssize_t got = syscall(SYS_recvfrom, fd, into, length, flags, NULL, NULL);
  if (got >= 5 && memcmp(into, "POST ", 5) == 0) due(REQUEST_READ);
  return got;
}

static enum kind kind_of_sync(int fd) {
  char path[4096];
  path_of(fd, path, sizeof path);
  if (is_segment(path)) return LOG_SYNC;
  if (strstr(path, "/ledger/") != NULL) return STORE_SYNC;
  if (strstr(path, "/cdr/") != NULL) return CDR_SYNC;
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISDIR(status.st_mode) ? DIRECTORY_SYNC : NONE;
}

static void note(enum kind kind, ino_t inode, int error) {
  if (syncs < 0) return;
  char line[96];
  int length = snprintf(line, sizeof line, "%d %d %ld %d\n", getpid(), kind, (long)inode, error);
  syscall(SYS_write, syncs, line, length);
}

static int synced(int fd, long number) {
  enum kind kind = kind_of_sync(fd);
  enum action action = due(kind);
  int result = action == FAIL ? -1 : (int)syscall(number, fd);
  int error = result == 0 ? 0 : errno;
  if (kind == LOG_SYNC && error != 0) forget_blocks(fd);
  if (kind == LOG_SYNC && error == 0 && fd == unsynced_fd) unsynced_from = unsynced_to;
  struct stat status;
  if ((kind == LOG_SYNC || kind == STORE_SYNC) && fstat(fd, &status) == 0) {
    note(kind, status.st_ino, error);
  }
  ended(action, 0);
  errno = error;
  return result;
}

int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int fsync(int fd) { return synced(fd, SYS_fsync); }

int open64(const char *path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  int makes = (flags & O_CREAT) != 0 && is_segment(path);
  enum action action = due(makes ? SEGMENT_MAKE : NONE);
  if (action == FAIL) return -1;
  return (int)ended(action, syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

int unlink(const char *path) {
  struct stat status;
  enum action action = due(is_segment(path) ? SEGMENT_REMOVE : NONE);
  if (action == FAIL) return -1;
  /* Its inode may be the next file's. */
  if (is_segment(path) && stat(path, &status) == 0) note(SEGMENT_REMOVE, status.st_ino, -1);
  return (int)ended(action, syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

/* Of a segment that has no name any more: its bytes go in steps. */
int ftruncate(int fd, off_t length) {
  char path[4096];
  path_of(fd, path, sizeof path);
  struct stat status;
  int is_removed = is_segment(path) && fstat(fd, &status) == 0 && status.st_nlink == 0;
  enum action action = due(is_removed ? SEGMENT_CUT : NONE);
  if (action == FAIL) return -1;
  if (action == KILL_MIDDLE) {
    syscall(SYS_ftruncate, fd, (status.st_size + length) / 2);
    end_process();
  }
  return (int)ended(action, syscall(SYS_ftruncate, fd, length));
}

int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }

int rename(const char *from, const char *to) {
  enum kind kind = strstr(to, "/cdr/") != NULL ? CDR_RENAME
                   : strstr(to, "/node.json") != NULL ? EPOCH_RENAME : NONE;
  enum action action = due(kind);
  if (action == FAIL) return -1;
  return (int)ended(action, syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
