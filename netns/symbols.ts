/**
 * The C functions that this project calls, as plain data: the result first,
 * then the parameters. `ffi.ts` opens them; nothing here has an effect.
 *
 * The names are the libraries' own, so that a reader finds them in their
 * manuals: https://www.infradead.org/~tgr/libnl/doc/api/ (libnl 3.7).
 *
 * @module
 */

/** glibc, by soname. Variadic ones (`open`, `ioctl`) fit on x86-64 and arm64. */
export const LIBC = {
  __errno_location: ["pointer"],
  _exit: ["void", "i32"],
  close: ["i32", "i32"],
  eventfd: ["i32", "u32", "i32"],
  free: ["void", "pointer"],
  fstatfs: ["i32", "i32", "buffer"],
  ioctl: ["i32", "i32", "usize", "buffer"],
  mount: ["i32", "buffer", "buffer", "buffer", "usize", "pointer"],
  open: ["i32", "buffer", "i32"],
  recv: ["isize", "i32", "buffer", "usize", "i32"],
  send: ["isize", "i32", "buffer", "usize", "i32"],
  setns: ["i32", "i32", "i32"],
  setsockopt: ["i32", "i32", "i32", "i32", "buffer", "u32"],
  umount2: ["i32", "buffer", "i32"],
  unshare: ["i32", "i32"],
  write: ["isize", "i32", "buffer", "usize"],
} as const;

/** Calls of glibc that may sleep, each on a thread of the runtime's pool. */
export const LIBC_ASIDE = {
  poll: ["i32", "buffer", "u64", "i32"],
  send: ["isize", "i32", "buffer", "usize", "i32"],
} as const;

/** libnl-3: sockets, messages, addresses, caches. */
export const LIBNL = {
  nl_addr_get_binary_addr: ["pointer", "pointer"],
  nl_addr_get_family: ["i32", "pointer"],
  nl_addr_get_len: ["u32", "pointer"],
  nl_addr_get_prefixlen: ["u32", "pointer"],
  nl_cache_alloc_name: ["i32", "buffer", "buffer"],
  nl_cache_clear: ["void", "pointer"],
  nl_cache_free: ["void", "pointer"],
  nl_cache_get_first: ["pointer", "pointer"],
  nl_cache_get_next: ["pointer", "pointer"],
  nl_cache_parse_and_add: ["i32", "pointer", "pointer"],
  nl_connect: ["i32", "pointer", "i32"],
  nl_socket_add_membership: ["i32", "pointer", "i32"],
  nl_socket_alloc: ["pointer"],
  nl_socket_free: ["void", "pointer"],
  nl_socket_get_fd: ["i32", "pointer"],
  nlmsg_convert: ["pointer", "buffer"],
  nlmsg_free: ["void", "pointer"],
} as const;

/** libnl-route-3: links, addresses, neighbours, routes, rules. */
export const LIBNL_ROUTE = {
  rtnl_addr_alloc_cache: ["i32", "pointer", "buffer"],
  rtnl_addr_get_ifindex: ["i32", "pointer"],
  rtnl_addr_get_local: ["pointer", "pointer"],
  rtnl_addr_get_prefixlen: ["i32", "pointer"],
  rtnl_addr_get_scope: ["i32", "pointer"],
  rtnl_link_alloc: ["pointer"],
  rtnl_link_alloc_cache: ["i32", "pointer", "i32", "buffer"],
  rtnl_link_get_addr: ["pointer", "pointer"],
  rtnl_link_get_flags: ["u32", "pointer"],
  rtnl_link_get_ifalias: ["pointer", "pointer"],
  rtnl_link_get_ifindex: ["i32", "pointer"],
  rtnl_link_get_kernel: ["i32", "pointer", "i32", "buffer", "buffer"],
  rtnl_link_get_mtu: ["u32", "pointer"],
  rtnl_link_get_name: ["pointer", "pointer"],
  rtnl_link_get_type: ["pointer", "pointer"],
  rtnl_link_inet_get_conf: ["i32", "pointer", "u32", "buffer"],
  rtnl_link_get_link: ["i32", "pointer"],
  rtnl_link_put: ["void", "pointer"],
  rtnl_link_set_ifindex: ["void", "pointer", "i32"],
  rtnl_link_vlan_get_id: ["i32", "pointer"],
  rtnl_neigh_alloc_cache: ["i32", "pointer", "buffer"],
  rtnl_neigh_get_dst: ["pointer", "pointer"],
  rtnl_neigh_get_ifindex: ["i32", "pointer"],
  rtnl_neigh_get_lladdr: ["pointer", "pointer"],
  rtnl_neigh_get_state: ["i32", "pointer"],
  rtnl_route_alloc_cache: ["i32", "pointer", "i32", "i32", "buffer"],
  rtnl_route_get_dst: ["pointer", "pointer"],
  rtnl_route_get_nnexthops: ["i32", "pointer"],
  rtnl_route_get_pref_src: ["pointer", "pointer"],
  rtnl_route_get_priority: ["u32", "pointer"],
  rtnl_route_get_protocol: ["u8", "pointer"],
  rtnl_route_get_scope: ["u8", "pointer"],
  rtnl_route_get_table: ["u32", "pointer"],
  rtnl_route_get_type: ["u8", "pointer"],
  rtnl_route_nexthop_n: ["pointer", "pointer", "i32"],
  rtnl_route_nh_get_gateway: ["pointer", "pointer"],
  rtnl_route_nh_get_ifindex: ["i32", "pointer"],
  rtnl_rule_alloc_cache: ["i32", "pointer", "i32", "buffer"],
  rtnl_rule_get_dst: ["pointer", "pointer"],
  rtnl_rule_get_family: ["i32", "pointer"],
  rtnl_rule_get_mark: ["u32", "pointer"],
  rtnl_rule_get_oif: ["pointer", "pointer"],
  rtnl_rule_get_prio: ["u32", "pointer"],
  rtnl_rule_get_src: ["pointer", "pointer"],
  rtnl_rule_get_table: ["u32", "pointer"],
} as const;

/** Calls of libnl-route-3 that may sleep long, on a thread of the pool. */
export const LIBNL_ROUTE_ASIDE = {
  rtnl_link_delete: ["i32", "pointer", "pointer"],
} as const;

/** libnftables: rule sets as JSON. */
export const LIBNFTABLES = {
  nft_ctx_buffer_error: ["i32", "pointer"],
  nft_ctx_buffer_output: ["i32", "pointer"],
  nft_ctx_free: ["void", "pointer"],
  nft_ctx_get_error_buffer: ["pointer", "pointer"],
  nft_ctx_get_output_buffer: ["pointer", "pointer"],
  nft_ctx_new: ["pointer", "u32"],
  nft_ctx_output_set_flags: ["void", "pointer", "u32"],
  nft_run_cmd_from_buffer: ["i32", "pointer", "buffer"],
} as const;
