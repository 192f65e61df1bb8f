import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { type Finding, preflight, settingKeys } from "./preflight.ts";
import { commandsOf, objectOf } from "./preflight_mend.ts";
import type { ForwardChain, HostSeen } from "./preflight_seen.ts";

/** A host that is as pods need it. */
const GOOD: HostSeen = {
  families: [4, 6],
  uplink: "eth0",
  settings: new Map([
    ["net/ipv4/ip_forward", "1"],
    ["net/ipv4/conf/eth0/forwarding", "1"],
    ["net/ipv4/conf/all/rp_filter", "0"],
    ["net/ipv4/conf/eth0/rp_filter", "0"],
    ["net/ipv6/conf/all/disable_ipv6", "0"],
    ["net/ipv6/conf/eth0/disable_ipv6", "0"],
  ]),
  chains: [],
  legacy: [],
  netns: {
    path: "/run/netns",
    mountPoint: "/run/netns",
    propagation: "slave",
    isHost: false,
  },
};

const CHAIN: ForwardChain = {
  family: "ip",
  table: "filter",
  name: "FORWARD",
  type: "filter",
  prio: 0,
  policy: "drop",
};

function withSettings(settings: Readonly<Record<string, string>>): HostSeen {
  return {
    ...GOOD,
    settings: new Map([...GOOD.settings, ...Object.entries(settings)]),
  };
}

/** Severities and commands, of those that have one. */
function check(
  seen: Partial<HostSeen>,
  expected: readonly (readonly [Finding["severity"], string?])[],
): readonly Finding[] {
  const findings = preflight({ ...GOOD, ...seen });
  assertEquals(
    findings.map(({ severity, command }) =>
      command === undefined ? [severity] : [severity, command]
    ),
    expected.map((one) => [...one]),
  );
  return findings;
}

Deno.test("preflight() finds nothing on a host that is as pods need it", () => {
  check(GOOD, []);
});

Deno.test("preflight() gives the command for forwarding, of the node or its card", () => {
  const off = { "net/ipv4/ip_forward": "0" };
  const card = { "net/ipv4/conf/eth0/forwarding": "0" };
  check(withSettings(off), [["warning", "sysctl -w net.ipv4.ip_forward=1"]]);
  check(withSettings({ ...off, ...card }), [
    ["warning", "sysctl -w net.ipv4.ip_forward=1"],
  ]);
  check(withSettings(card), [
    ["warning", "sysctl -w net.ipv4.conf.eth0.forwarding=1"],
  ]);
});

Deno.test("preflight() takes the greater of both reverse path filters, as the kernel does", () => {
  const [all, eth0] = ["all", "eth0"].map((link) =>
    `sysctl -w net.ipv4.conf.${link}.rp_filter=0`
  );
  const commands: readonly (readonly [string, string, readonly unknown[]])[] = [
    ["0", "1", [eth0]],
    ["1", "0", [all]],
    ["1", "1", [all, eth0]],
    // The other cards are strict still.
    ["1", "2", [all]],
    ["2", "0", []],
    ["2", "1", []],
    ["0", "2", []],
  ];
  for (const [ofAll, ofCard, expected] of commands) {
    const findings = preflight(withSettings({
      "net/ipv4/conf/all/rp_filter": ofAll,
      "net/ipv4/conf/eth0/rp_filter": ofCard,
    }));
    assertEquals(findings.map(({ command }) => command), [...expected]);
  }
});

Deno.test("preflight() asks for IPv6 only where pods have it", () => {
  const off = withSettings({ "net/ipv6/conf/all/disable_ipv6": "1" });
  check(off, [["warning", "sysctl -w net.ipv6.conf.all.disable_ipv6=0"]]);
  check(withSettings({ "net/ipv6/conf/eth0/disable_ipv6": "1" }), [
    ["warning", "sysctl -w net.ipv6.conf.eth0.disable_ipv6=0"],
  ]);
  check({ ...off, families: [4] }, []);
  const [finding] = check({ settings: new Map() }, [["error"]]);
  assertStringIncludes(finding?.advice ?? "", "ipv6.disable=1");
});

Deno.test("preflight() names a chain whose policy is drop, by its very command", () => {
  const v6 = { ...CHAIN, family: "ip6" };
  const other = { ...CHAIN, family: "inet", table: "host_fw" };
  check({ chains: [{ ...CHAIN, policy: "accept" }] }, []);
  check({ chains: [CHAIN, v6, other, { ...CHAIN, table: "mangle" }] }, [
    ["warning", "iptables -P FORWARD ACCEPT"],
    ["warning", "ip6tables -P FORWARD ACCEPT"],
    ["warning", "nft 'chain inet host_fw FORWARD { policy accept; }'"],
    ["warning", "nft 'chain ip mangle FORWARD { policy accept; }'"],
  ]);
  check({ chains: [v6, other], families: [4] }, [
    ["warning", "nft 'chain inet host_fw FORWARD { policy accept; }'"],
  ]);
  check({ chains: [{ ...CHAIN, family: "bridge" }] }, []);
  check({ chains: [{ ...CHAIN, prio: -10 }] }, [
    ["warning", "nft 'chain ip filter FORWARD { policy accept; }'"],
  ]);
  // A word of nft's own language can't be named in it.
  check({ chains: [{ ...CHAIN, family: "inet", name: "fwd" }] }, [[
    "warning",
    `nft -j '{"nftables":[{"add":{"chain":{"family":"inet","table":"filter",` +
    `"name":"fwd","type":"filter","hook":"forward","prio":0,` +
    `"policy":"accept"}}}]}'`,
  ]]);
});

Deno.test("preflight() doesn't say iptables where that may be the older one", () => {
  const legacy = [
    { family: 4, program: "iptables-legacy", policy: "DROP" },
    { family: 6, program: "ip6tables-legacy" },
  ] as const;
  const [, , note] = check({ chains: [CHAIN], legacy }, [
    ["warning", "nft 'chain ip filter FORWARD { policy accept; }'"],
    ["warning", "iptables-legacy -P FORWARD ACCEPT"],
    ["note"],
  ]);
  assertStringIncludes(
    note?.problem ?? "",
    "can't be looked at: ip6tables-legacy",
  );
  assertStringIncludes(note?.advice ?? "", "ip6tables-legacy -S FORWARD");
  check({ legacy: [{ ...legacy[0], policy: "ACCEPT" }] }, []);
  check({ legacy, families: [4] }, [
    ["warning", "iptables-legacy -P FORWARD ACCEPT"],
  ]);
});

Deno.test("preflight() says when nftables can't be seen, and whether that matters", () => {
  const unseen = "Cannot open libnftables.so.1: install libnftables1";
  const [note] = check({ chains: { unseen, isNone: false } }, [["note"]]);
  assertStringIncludes(note?.problem ?? "", unseen);
  assertStringIncludes(note?.advice ?? "", "nft list chains");
  const [none] = check({ chains: { unseen: "none", isNone: true } }, [
    ["note"],
  ]);
  assertEquals(none?.advice, undefined);
});

Deno.test("preflight() tells when the host's namespaces won't be seen", () => {
  const mount = {
    path: "/run/netns",
    mountPoint: "/run/netns",
    propagation: "private",
    isHost: false,
  } as const;
  const [finding] = check({ netns: mount }, [["error"]]);
  assertStringIncludes(finding?.advice ?? "", "HostToContainer");
  check({ netns: { ...mount, mountPoint: "/", propagation: "slave" } }, [
    ["error"],
  ]);
  check({ netns: { ...mount, propagation: "shared" } }, []);
  check({ netns: { ...mount, isHost: true } }, []);
  const { isHost: _, ...unknown } = mount;
  check({ netns: unknown }, []);
});

Deno.test("a link's name with dots stays one name for sysctl", () => {
  const settings = new Map([
    ...GOOD.settings,
    ["net/ipv4/conf/eth0.100/forwarding", "0"],
  ]);
  check({ settings, uplink: "eth0.100" }, [
    ["warning", "sysctl -w net/ipv4/conf/eth0.100/forwarding=1"],
  ]);
});

Deno.test("every finding says what it means, and what to do about it", () => {
  const bit = fc.constantFrom("0", "1", "2");
  const keys = settingKeys("eth0");
  const policy = fc.constantFrom("accept", "drop");
  const arbitrary = fc.record({
    families: fc.subarray([4, 6] as const, { minLength: 1 }),
    settings: fc.array(bit, {
      minLength: keys.length,
      maxLength: keys.length,
    }).map((values) => new Map(keys.map((key, at) => [key, values[at] ?? ""]))),
    chains: fc.array(fc.record({
      family: fc.constantFrom("ip", "ip6", "inet", "bridge"),
      table: fc.constantFrom("filter", "fw"),
      name: fc.constantFrom("FORWARD", "fwd"),
      type: fc.constant("filter"),
      prio: fc.integer(),
      policy,
    })),
  });
  fc.assert(fc.property(arbitrary, (seen) => {
    const findings = preflight({ ...GOOD, ...seen });
    for (const { meaning, problem, object, command, mend } of findings) {
      assertMatch(meaning, /^[A-Z][^]*\.$/);
      assertStringIncludes(problem, object);
      assertEquals(mend && objectOf(mend), object);
      assertEquals(mend && commandsOf(mend).command, command);
    }
    const isDropped = seen.chains.some(({ family, policy }) =>
      policy === "drop" && family !== "bridge" &&
      (family === "inet" || seen.families.includes(family === "ip" ? 4 : 6))
    );
    assertEquals(
      findings.some(({ mend }) => mend?.kind === "chain"),
      isDropped,
    );
  }));
});
