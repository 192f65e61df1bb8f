/**
 * The way of a connection that the node translates: of answers from behind a
 * `hostPort` or a NodePort whose policy is `Local`, and of a pod's calls that
 * kube-proxy gives the node's address.
 *
 * ```text
 *  client C ── eth0 ── C → N:8080, translated to P:80 ── cali… ── pod
 *                        marks the connection                       │
 *            eth0 ── 1024: fwmark 0x10 → main ── P:80 → C, marked ──┘
 *            ENI  ── 2048: from P → the ENI's table: the VPC drops N there
 * ```
 *
 * What a pod says goes out by its ENI (rule 2048). But an answer to such a
 * connection gets the node's address on its way out, after it was routed, and
 * the VPC takes that address from the node's own card only. So the connection
 * is marked when it comes in, and its answers are routed by table main. What
 * wasn't translated isn't marked, and keeps its way.
 *
 * A pod that calls a NodePort, or a Service while kube-proxy doesn't know the
 * pod for one of the cluster, gets the node's address too: kube-proxy marks the
 * first packet (rule 1025), and all later ones are known by their connection.
 *
 * Pure data, as every datapath.
 *
 * @module
 */
import type { Family } from "../ip.ts";
import type { NftCommand, NftObject } from "../nft.ts";
import { command, type Plan, type RuleStep, TABLE_MAIN } from "../step.ts";

/**
 * The mark, of packets and connections: one bit, which kube-proxy (0x4000,
 * 0x8000), portmap (0x2000) and Calico (0xffff0000) leave alone.
 */
export const WAY_BACK_MARK = 0x10;

/** After packets to a pod (512), before those from one (2048). */
export const RULE_WAY_BACK_PRIORITY = 1024;

/**
 * What kube-proxy marks to be given the node's address. Source: kube-proxy's
 * `masqueradeBit`, 14 unless told, of both its modes.
 */
const MASQUERADE_MARK = 0x4000;

/** Right after ours. */
const RULE_MASQUERADE_PRIORITY = 1025;

/** Our table of nftables. */
export const WAY_BACK_TABLE = {
  family: "inet",
  name: "terway_way_back",
} as const;

const IN = {
  family: WAY_BACK_TABLE.family,
  table: WAY_BACK_TABLE.name,
} as const;

/** The node's ends of pods: see `hostLinkName`. */
const PODS = "cali*";

/** Priorities of hooks. Source: nft(8), "filter" and "mangle". */
const CHAINS = [
  { ...IN, name: "way_in", type: "filter", hook: "forward", prio: 0 },
  { ...IN, name: "way_back", type: "filter", hook: "prerouting", prio: -150 },
] as const;

/** Each as JSON for the kernel and as words for people, without what it does. */
const RULES = [
  {
    text: `iifname != "${PODS}" oifname "${PODS}" ct direction original ` +
      "ct status dnat ct mark set ct mark",
    rule: {
      ...IN,
      chain: "way_in",
      comment: "terway: marks what was translated to a pod",
      expr: [
        match(meta("iifname"), "!=", PODS),
        match(meta("oifname"), "==", PODS),
        match(ct("direction"), "==", "original"),
        match(ct("status"), "in", "dnat"),
        setBit(ct("mark")),
      ],
    },
  },
  {
    text:
      `iifname "${PODS}" ct direction reply ct mark & ${WAY_BACK_MARK} == ` +
      `${WAY_BACK_MARK} meta mark set meta mark`,
    rule: {
      ...IN,
      chain: "way_back",
      comment: "terway: its answers leave as it came",
      expr: [
        match(meta("iifname"), "==", PODS),
        match(ct("direction"), "==", "reply"),
        match({ "&": [ct("mark"), WAY_BACK_MARK] }, "==", WAY_BACK_MARK),
        setBit(meta("mark")),
      ],
    },
  },
  {
    text: `iifname "${PODS}" ct direction original ct status snat ` +
      "meta mark set meta mark",
    rule: {
      ...IN,
      chain: "way_back",
      comment: "terway: masqueraded packets leave by the first card",
      expr: [
        match(meta("iifname"), "==", PODS),
        match(ct("direction"), "==", "original"),
        match(ct("status"), "in", "snat"),
        setBit(meta("mark")),
      ],
    },
  },
] as const;

/**
 * Plans the rules that marked packets follow.
 *
 * @param families The families that pods have.
 * @returns Steps on the node.
 */
export function wayBackPlan(families: readonly Family[]): Plan {
  const marks = [
    { priority: RULE_WAY_BACK_PRIORITY, mark: WAY_BACK_MARK },
    { priority: RULE_MASQUERADE_PRIORITY, mark: MASQUERADE_MARK },
  ];
  return {
    steps: families.flatMap((family) =>
      marks.map((marked): RuleStep => ({
        ...{ kind: "rule", place: "host", table: TABLE_MAIN },
        ...marked,
        ...family === 6 && { family },
      }))
    ),
  };
}

/**
 * Writes all of it as the commands that it equals.
 *
 * @param families The families that pods have.
 * @returns Lines for a shell, in their order.
 */
export function wayBackCommands(
  families: readonly Family[],
): readonly string[] {
  const { family, name } = WAY_BACK_TABLE;
  const table = `${family} ${name}`;
  return [
    ...wayBackPlan(families).steps.map((step) => command(step)),
    `nft add table ${table}`,
    ...CHAINS.map(({ name, type, hook, prio }) =>
      `nft 'add chain ${table} ${name} { type ${type} hook ${hook} ` +
      `priority ${prio}; policy accept; }'`
    ),
    ...RULES.map(({ text, rule: { chain, comment } }) =>
      `nft 'add rule ${table} ${chain} ${text} | ${WAY_BACK_MARK} ` +
      `comment "${comment}"'`
    ),
  ];
}

/**
 * Writes our table anew, whatever is in it.
 *
 * @returns Commands that are one transaction.
 */
export function makeWayBack(): readonly NftCommand[] {
  return [
    ...removeWayBack(),
    { add: { table: WAY_BACK_TABLE } },
    ...CHAINS.map((chain) => ({
      add: { chain: { ...chain, policy: "accept" } },
    })),
    ...RULES.map(({ rule }) => ({ add: { rule } })),
  ];
}

/**
 * Removes our table, also when there is none.
 *
 * @returns Commands that are one transaction.
 */
export function removeWayBack(): readonly NftCommand[] {
  return [{ add: { table: WAY_BACK_TABLE } }, {
    delete: { table: WAY_BACK_TABLE },
  }];
}

/**
 * Tells whether our table is as it was made: every chain at its hook and every
 * rule in it, by its comment. Who rewrites a rule doesn't keep that.
 *
 * @param objects The node's whole rule set.
 * @returns True when it is.
 */
export function isWayBack(objects: readonly NftObject[]): boolean {
  const own = (kind: string): readonly Record<string, unknown>[] =>
    objects.map((object) => object[kind] as Record<string, unknown> | undefined)
      .filter((one) => one !== undefined)
      .filter((one) => one.family === IN.family && one.table === IN.table);
  const chains = own("chain");
  const rules = own("rule");
  return chains.length === CHAINS.length && rules.length === RULES.length &&
    CHAINS.every(({ name, hook, prio }) =>
      chains.some((one) =>
        one.name === name && one.hook === hook && one.prio === prio
      )
    ) &&
    RULES.every(({ rule: { chain, comment } }) =>
      rules.some((one) => one.chain === chain && one.comment === comment)
    );
}

function match(left: unknown, op: string, right: unknown): NftObject {
  return { match: { op, left, right } };
}

function meta(key: string): NftObject {
  return { meta: { key } };
}

function ct(key: string): NftObject {
  return { ct: { key } };
}

function setBit(key: NftObject): NftObject {
  return { mangle: { key, value: { "|": [key, WAY_BACK_MARK] } } };
}
