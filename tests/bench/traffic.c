/*
 * TCP both ways: many small questions, or one large stream. Each call tells
 * how far it came and what both ends computed for it.
 *
 *   traffic serve IP PORT            prints a line when it listens
 *   traffic ask|send IP PORT MS      prints "COUNT WALL_US CPU_US"
 *
 * `ask` sends a byte and waits for a byte: COUNT is how often. `send` writes
 * as fast as it may: COUNT is bytes that arrived. CPU_US is user and system
 * time of both processes; soft interrupts that ran in them are in it, unless
 * the kernel accounts these apart (CONFIG_IRQ_TIME_ACCOUNTING).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 128 << 10 };

static char chunk[CHUNK];

/* What the server tells at the end. */
struct told {
  uint64_t bytes, cpu_us;
};

static uint64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * UINT64_C(1000000) + now.tv_nsec / 1000;
}

static uint64_t cpu_us(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * UINT64_C(1000000) +
         used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

static int fail(const char *what) {
  perror(what);
  return 1;
}

static struct sockaddr_in address(char **words) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
  inet_pton(AF_INET, words[0], &at.sin_addr);
  return at;
}

/* The first byte says which of both it is to be. */
static void serve_one(int fd) {
  struct told told = {0, cpu_us()};
  char kind = 0;
  if (recv(fd, &kind, 1, 0) != 1) return;
  for (ssize_t count; (count = recv(fd, chunk, kind == 'a' ? 1 : CHUNK, 0)) > 0;) {
    told.bytes += count;
    if (kind == 'a' && send(fd, chunk, 1, MSG_NOSIGNAL) != 1) return;
  }
  told.cpu_us = cpu_us() - told.cpu_us;
  send(fd, &told, sizeof told, MSG_NOSIGNAL);
}

static int serve(struct sockaddr_in at) {
  int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0) return fail("bind");
  if (listen(listener, 8) != 0) return fail("listen");
  puts("listening");
  fflush(stdout);
  for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    serve_one(fd);
  }
  return fail("accept");
}

static int call(char kind, struct sockaddr_in at, uint64_t for_us) {
  int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) return fail("connect");
  if (send(fd, &kind, 1, 0) != 1) return fail("send");
  uint64_t from = now_us(), cpu = cpu_us(), answers = 0;
  while (now_us() - from < for_us) {
    if (send(fd, chunk, kind == 'a' ? 1 : CHUNK, MSG_NOSIGNAL) < 1) return fail("send");
    if (kind == 'a' && recv(fd, chunk, 1, 0) != 1) return fail("recv");
    answers++;
  }
  struct told told;
  shutdown(fd, SHUT_WR);
  if (recv(fd, &told, sizeof told, MSG_WAITALL) != sizeof told) return fail("recv");
  uint64_t wall = now_us() - from, count = kind == 'a' ? answers : told.bytes;
  cpu = cpu_us() - cpu + told.cpu_us;
  printf("%llu %llu %llu\n", (unsigned long long)count, (unsigned long long)wall,
         (unsigned long long)cpu);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "serve") == 0) return serve(address(argv + 2));
  if (argc != 5) return 2;
  return call(argv[1][0], address(argv + 2), strtoull(argv[4], NULL, 10) * 1000);
}
