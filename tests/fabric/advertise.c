/*
 * A router advertisement, as a stranger on the wire may send one: it offers a
 * default route over the link where it arrives.
 *
 *   advertise LINK      sends one frame out of LINK
 *
 * Source: RFC 4861, section 4.2, and RFC 4443, section 2.3, for the checksum.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { ETHERNET = 14, IPV6 = 40, BODY = 16, PROTOCOL_ALL = 0x0003 };

/* struct sockaddr_ll; musl-gcc doesn't find the kernel's header. */
struct link_address {
  uint16_t family, protocol;
  int32_t index;
  uint16_t type;
  uint8_t packet_type, length, address[8];
};

static uint8_t frame[ETHERNET + IPV6 + BODY] = {
    0x33, 0x33, 0, 0, 0, 1, 0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd,
    /* version 6, 16 bytes of ICMPv6, from fe80::1 to all nodes */
    0x60, 0, 0, 0, 0, BODY, 58, 255,
    0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    /* an advertisement: hop limit 64, a router for 1800 s */
    134, 0, 0, 0, 64, 0, 0x07, 0x08,
};

static uint32_t sum(const uint8_t *bytes, int count) {
  uint32_t total = 0;
  for (int i = 0; i < count; i += 2) total += bytes[i] << 8 | bytes[i + 1];
  return total;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  uint8_t *body = frame + ETHERNET + IPV6;
  uint32_t total = sum(frame + ETHERNET + 8, 32) + sum(body, BODY) + BODY + 58;
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  body[2] = ~total >> 8;
  body[3] = ~total;
  struct link_address to = {.family = AF_PACKET,
                            .protocol = PROTOCOL_ALL,
                            .index = (int32_t)if_nametoindex(argv[1]),
                            .length = 6};
  memcpy(to.address, frame, 6);
  int wire = socket(AF_PACKET, SOCK_RAW, 0);
  if (sendto(wire, frame, sizeof frame, 0, (void *)&to, sizeof to) < 0) {
    perror("advertise");
    return 1;
  }
  return 0;
}
