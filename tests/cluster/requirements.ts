/**
 * The packages that a cluster needs of this machine, besides what it builds.
 *
 * @module
 */
import { NETWORK_PACKAGES, type Package } from "../packages.ts";

/** What a cluster runs on and its images are made of. */
export const CLUSTER_PACKAGES: readonly Package[] = [
  ...NETWORK_PACKAGES,
  { name: "containerd", why: "the nodes' runtime", probe: "containerd" },
  { name: "runc", why: "containers", probe: "runc" },
  {
    name: "containernetworking-plugins",
    why: "the loopback of sandboxes",
    probe: "portmap",
  },
  { name: "openssl", why: "the cluster's keys", probe: "openssl" },
  { name: "iptables", why: "kube-proxy and portmap", probe: "iptables" },
  { name: "conntrack", why: "kube-proxy", probe: "conntrack" },
  { name: "busybox-static", why: "the image busybox", probe: "busybox" },
  { name: "gcc", why: "the image pause", probe: "gcc" },
];

/** What the image agnhost has besides; a test of Kubernetes may miss one. */
export const AGNHOST_PACKAGES: readonly Package[] = [
  { name: "curl", why: "the image agnhost", probe: "curl" },
  { name: "bind9-dnsutils", why: "the image agnhost", probe: "dig" },
  { name: "netcat-openbsd", why: "the image agnhost", probe: "nc.openbsd" },
  { name: "iperf", why: "the image agnhost", probe: "iperf" },
];
