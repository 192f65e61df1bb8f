/*
 * What a VLAN link does, as eBPF programs, for a VPC on a kernel without VLANs:
 * frames of a member's port get its tag and leave by the trunk's, and frames
 * that come to the trunk's port with that tag lose it and leave by the member's.
 *
 *   tag_bpf push PATH VID IFINDEX     pins the program at PATH
 *   tag_bpf pop PATH VID IFINDEX
 *
 * Attach it by `tc filter add dev LINK ingress bpf da object-pinned PATH`.
 * Written out, since musl-gcc doesn't find the kernel's headers: see linux/bpf.h.
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

/* Operations, helpers, and where struct __sk_buff has the tag. */
enum {
  MOV_X = 0xbf,
  MOV_K = 0xb7,
  AND_K = 0x57,
  LOAD = 0x61,
  JEQ = 0x15,
  JNE = 0x55,
  CALL = 0x85,
  EXIT = 0x95,
  VLAN_PUSH = 18,
  VLAN_POP = 19,
  REDIRECT = 23,
  VLAN_PRESENT = 20,
  VLAN_TCI = 24,
  VLAN_IN_NETWORK_ORDER = 0x0081,
  ID_BITS = 0xfff,
  EGRESS = 0,
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

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  int vid = atoi(argv[3]), link = atoi(argv[4]);
  struct insn push[] = {
      {MOV_K, 2, 0, VLAN_IN_NETWORK_ORDER},
      {MOV_K, 3, 0, vid},
      {CALL, 0, 0, VLAN_PUSH},
      {MOV_K, 1, 0, link},
      {MOV_K, 2, 0, EGRESS},
      {CALL, 0, 0, REDIRECT},
      {EXIT, 0, 0, 0},
  };
  struct insn pop[] = {
      {MOV_X, 6 | 1 << 4, 0, 0},
      {LOAD, 0 | 6 << 4, VLAN_PRESENT, 0},
      {JEQ, 0, 9, 0},
      {LOAD, 0 | 6 << 4, VLAN_TCI, 0},
      {AND_K, 0, 0, ID_BITS},
      {JNE, 0, 6, vid},
      {MOV_X, 1 | 6 << 4, 0, 0},
      {CALL, 0, 0, VLAN_POP},
      {MOV_K, 1, 0, link},
      {MOV_K, 2, 0, EGRESS},
      {CALL, 0, 0, REDIRECT},
      {EXIT, 0, 0, 0},
      {MOV_K, 0, 0, UNSPEC},
      {EXIT, 0, 0, 0},
  };
  int is_push = strcmp(argv[1], "push") == 0;
  load.type = SCHED_CLS;
  load.insns = (uintptr_t)(is_push ? push : pop);
  load.count = (is_push ? sizeof push : sizeof pop) / sizeof *push;
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
  pin.path = (uintptr_t)argv[2];
  pin.fd = fd;
  if (syscall(SYS_bpf, OBJ_PIN, &pin, sizeof pin) == 0) return 0;
  perror("pin");
  return 1;
}
