import { assertEquals } from "@std/assert";
import { serviceCidrFrom } from "./service_cidr.ts";

Deno.test("the cluster's first ServiceCIDR counts, IPv4 before IPv6", () => {
  const ranges = [
    { name: "more", cidrs: ["10.200.0.0/16"] },
    { name: "kubernetes", cidrs: ["fd96::/112", "172.21.0.0/20"] },
  ];
  assertEquals(serviceCidrFrom({ ranges }), "172.21.0.0/20,fd96::/112");
});

Deno.test("an older cluster's range is what kubeadm wrote down, quoted or not", () => {
  for (const text of ["10.96.0.0/12", '"10.96.0.0/12"']) {
    const kubeadm = `networking:\n  podSubnet: ""\n  serviceSubnet: ${text}\n`;
    assertEquals(serviceCidrFrom({ ranges: [], kubeadm }), "10.96.0.0/12");
  }
});

Deno.test("a cluster that says nothing has no range", () => {
  assertEquals(serviceCidrFrom({ ranges: [] }), undefined);
  assertEquals(serviceCidrFrom({ ranges: [], kubeadm: "a: b" }), undefined);
});
