/*
 * What the filters of an IPvlan card do, as an eBPF program, to be compared
 * with them: IPv4 packets to one of two prefixes go into a link of this
 * machine, as if they had come in there.
 *
 *   steer_bpf PATH IFINDEX NET MASK NET MASK     pins the program at PATH
 *
 * NET and MASK are hexadecimal. Attach it by
 * `tc filter add dev LINK egress bpf da object-pinned PATH`. Written out, since
 * musl-gcc doesn't find the kernel's headers: see linux/bpf.h.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct insn {
  uint8_t code;
  uint8_t registers; /* destination, and source << 4 */
  int16_t offset;
  int32_t value;
};

/* Operations, helpers, and where struct __sk_buff has the protocol. */
enum {
  MOV_X = 0xbf,
  MOV_K = 0xb7,
  AND_K = 0x54,
  LOAD = 0x61,
  LOAD_PACKET = 0x20,
  JNE = 0x55,
  JEQ32 = 0x16,
  JNE32 = 0x56,
  CALL = 0x85,
  EXIT = 0x95,
  CHANGE_TYPE = 32,
  REDIRECT = 23,
  PROTOCOL = 16,
  NETWORK_HEADER = -0x100000,
  IPV4_IN_NETWORK_ORDER = 0x0008,
  PACKET_HOST = 0,
  INGRESS = 1,
  UNSPEC = -1,
};

enum { PROG_LOAD = 5, OBJ_PIN = 6, SCHED_CLS = 3 };

static char log_text[65536];

/* union bpf_attr, as far as the two commands go. */
static struct {
  uint32_t type, count;
  uint64_t insns, license;
  uint32_t log_level, log_size;
  uint64_t log, zero[16];
} load;
static struct {
  uint64_t path;
  uint32_t fd, flags;
  uint64_t zero[16];
} pin;

static int32_t hex(const char *text) { return (int32_t)strtoul(text, NULL, 16); }

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  struct insn program[] = {
      {MOV_X, 6 | 1 << 4, 0, 0},
      {LOAD, 0 | 6 << 4, PROTOCOL, 0},
      {JNE, 0, 13, IPV4_IN_NETWORK_ORDER},
      {LOAD_PACKET, 0, 0, NETWORK_HEADER + 16},
      {MOV_X, 7 | 0 << 4, 0, 0},
      {AND_K, 7, 0, hex(argv[4])},
      {JEQ32, 7, 2, hex(argv[3])},
      {AND_K, 0, 0, hex(argv[6])},
      {JNE32, 0, 7, hex(argv[5])},
      {MOV_X, 1 | 6 << 4, 0, 0},
      {MOV_K, 2, 0, PACKET_HOST},
      {CALL, 0, 0, CHANGE_TYPE},
      {MOV_K, 1, 0, atoi(argv[2])},
      {MOV_K, 2, 0, INGRESS},
      {CALL, 0, 0, REDIRECT},
      {EXIT, 0, 0, 0},
      {MOV_K, 0, 0, UNSPEC},
      {EXIT, 0, 0, 0},
  };
  load.type = SCHED_CLS;
  load.insns = (uintptr_t)program;
  load.count = sizeof program / sizeof *program;
  load.license = (uintptr_t) "GPL";
  load.log = (uintptr_t)log_text;
  load.log_size = sizeof log_text;
  load.log_level = 1;
  long fd = syscall(SYS_bpf, PROG_LOAD, &load, sizeof load);
  if (fd < 0) {
    perror("load");
    fputs(log_text, stderr);
    return 1;
  }
  pin.path = (uintptr_t)argv[1];
  pin.fd = fd;
  if (syscall(SYS_bpf, OBJ_PIN, &pin, sizeof pin) == 0) return 0;
  perror("pin");
  return 1;
}
