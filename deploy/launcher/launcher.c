/*
 * The launcher: the CNI plugin as a static program of a few kB. It does what
 * modes/cni/ does, in 1 ms instead of 25 and without Deno on the host: it hands
 * the call to the daemon and prints what the daemon says. The wire is described
 * in modes/wire.ts; tests/relay_test.ts runs both relays.
 *
 * It knows no JSON. Where the daemon listens is stamped into `slot`; VERSION
 * and errors name constant versions, as runtimes look at the list and the code.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tombstone.h"

enum { HEADER = 12, BODY_LIMIT = 8 << 20, CONNECT_MS = 2000, CONNECT_PAUSE_MS = 50 };

/* Found in the file by its magic and filled in by stamp.ts. Neither static nor
   const, as the compiler mustn't know what it holds. */
struct slot {
  char magic[16], socket[108], tombstones[256], reply_timeout_ms[16]; /* "": by verb */
} slot = {"TERWAY-SLOT-0001", "/run/terway/terway.sock", "/var/lib/terway/tombstones", ""};

static const struct verb {
  const char *name;
  int timeout_ms, code; /* code 0: without a daemon, it is written down */
} verbs[] = {{"ADD", 75000, 11}, /* the first: see relay() */
             {"CHECK", 75000, 11}, {"STATUS", 10000, 50}, {"DEL", 20000, 0}, {"GC", 20000, 0}};

enum outcome { WHOLE, ABSENT, LATE, BROKEN };

static const char *const messages[] = {
    "", "the terway daemon isn't there", "the terway daemon didn't answer in time",
    "the terway daemon went away before its answer was whole"};

extern char **environ;
/* Pages of these that aren't used cost nothing. */
static char request[HEADER + BODY_LIMIT], reply[1 + BODY_LIMIT];

static int fail(int code, const char *message, const char *where, const char *why) {
  printf("{\"cniVersion\":\"1.0.0\",\"code\":%d,\"msg\":\"%s\",\"details\":\"%s: %s\"}\n",
         code, message, where, why);
  return 1;
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Header, variables, an empty string, standard input. 0 and errno when it
   can't be read, EFBIG when it is too large. */
static size_t build_request(void) {
  size_t at = HEADER;
  for (char **variable = environ; *variable != NULL; variable++) {
    size_t length = strlen(*variable) + 1;
    if (strncmp(*variable, "CNI_", 4) != 0) continue;
    if (length >= sizeof request - at) return errno = EFBIG, 0;
    memcpy(request + at, *variable, length);
    at += length;
  }
  request[at++] = 0;
  for (ssize_t count = 1; count != 0;) {
    int full = at == sizeof request; /* then one byte more is one too many */
    count = full ? read(0, reply, 1) : read(0, request + at, sizeof request - at);
    if (count > 0 && full) return errno = EFBIG, 0;
    if (count < 0 && errno != EINTR) return 0;
    if (count > 0) at += count;
  }
  memcpy(request, "TERWAY1\n", 8);
  for (int byte = 0; byte < 4; byte++) request[8 + byte] = (at - HEADER) >> (8 * byte);
  return at;
}

/* A daemon that is being replaced isn't there for a moment. */
static int connect_daemon(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, slot.socket, sizeof slot.socket);
  for (int64_t until = now_ms() + CONNECT_MS;;) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    close(fd); /* leaves errno alone */
    int is_absent = errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN;
    if (!is_absent || now_ms() > until) return -1;
    nanosleep(&(struct timespec){.tv_nsec = CONNECT_PAUSE_MS * 1000000L}, NULL);
  }
}

/* After a call that failed: WHOLE when it may be made again. */
static enum outcome wait_ready(int fd, short events, int64_t until) {
  if (errno == EINTR) return WHOLE;
  if (errno != EAGAIN) return BROKEN;
  int64_t left = until - now_ms();
  return left > 0 && poll(&(struct pollfd){fd, events, 0}, 1, left) != 0 ? WHOLE : LATE;
}

/* No half-close after the request: our end is how the daemon knows we live. */
static enum outcome ask(int fd, size_t length, int64_t until, size_t *received) {
  enum outcome outcome;
  for (size_t sent = 0; sent < length;) {
    ssize_t count = send(fd, request + sent, length - sent, MSG_NOSIGNAL);
    if (count >= 0) sent += count;
    else if ((outcome = wait_ready(fd, POLLOUT, until)) != WHOLE) return outcome;
  }
  while (*received < sizeof reply) {
    ssize_t count = recv(fd, reply + *received, sizeof reply - *received, 0);
    if (count == 0) return WHOLE;
    if (count > 0) *received += count;
    else if ((outcome = wait_ready(fd, POLLIN, until)) != WHOLE) return outcome;
  }
  return BROKEN; /* beyond the limit */
}

static int offline(const struct verb *verb, enum outcome outcome, size_t length, const char *why) {
  if (verb->code != 0) return fail(verb->code, messages[outcome], slot.socket, why);
  if (write_tombstone(slot.tombstones, request + HEADER, length - HEADER) == 0) return 0;
  const char *message = "without a daemon, the request can't be written down either";
  return fail(5, message, slot.tombstones, strerror(errno));
}

static int relay(const struct verb *verb) {
  size_t length = build_request(), received = 0;
  if (length == 0 && errno == EFBIG)
    return fail(7, "the network configuration is too large", "limit", "8 MiB");
  if (length == 0) return fail(5, "the call can't be read", "standard input", strerror(errno));
  int fd = connect_daemon();
  if (fd < 0) return offline(verb, ABSENT, length, strerror(errno));
  int timeout_ms = slot.reply_timeout_ms[0] != 0 ? atoi(slot.reply_timeout_ms) : verb->timeout_ms;
  enum outcome outcome = ask(fd, length, now_ms() + timeout_ms, &received);
  /* Only a document's newline says that it is whole. Only what went well has
     none, and an ADD that went well has a result. */
  int whole = received == 1 ? reply[0] == 0 && verb != &verbs[0]
                            : received > 1 && reply[received - 1] == '\n';
  if (outcome == WHOLE && !whole) outcome = BROKEN;
  if (outcome != WHOLE) return offline(verb, outcome, length, "see its log on this node");
  return write_all(1, reply + 1, received - 1) == 0 ? (unsigned char)reply[0] : 1;
}

int main(void) {
  const char *value = getenv("CNI_COMMAND"), *name = value != NULL ? value : "";
  if (strcmp(name, "VERSION") == 0)
    return puts("{\"cniVersion\":\"1.1.0\",\"supportedVersions\":"
                "[\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}") < 0;
  for (size_t at = 0; at < sizeof verbs / sizeof *verbs; at++)
    if (strcmp(name, verbs[at].name) == 0) return relay(&verbs[at]);
  return fail(4, "CNI_COMMAND isn't one of ADD, CHECK, DEL, GC, STATUS, VERSION", "verb", "unknown");
}
