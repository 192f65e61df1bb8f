/**
 * Mistakes that somebody could make in the pool, one at a time: each is made in
 * a copy of the code, and the simulation must find it.
 *
 * What a mistake replaces must stand in its file exactly once. When the code
 * there changes, its line here is to be changed with it, so that the mistake
 * stays the same one.
 *
 * @module
 */

/** One place that a mistake changes. */
export interface Edit {
  /** A file of the repository. */
  readonly file: string;
  /** What stands there, exactly once. */
  readonly from: string;
  /** What stands there instead. */
  readonly to: string;
}

/** A mistake. */
export interface Mutant {
  /** What is wrong. */
  readonly name: string;
  /** How it is made. */
  readonly edits: readonly [Edit, ...Edit[]];
  /** Crash points of these scenarios find it; simulated lives unless told. */
  readonly scenario?: string;
}

/** The mistakes. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "a released address doesn't rest",
    edits: [{
      file: "pool/lease.ts",
      from: "untilMs: nowMs + COOLING_MS",
      to: "untilMs: nowMs",
    }],
  },
  {
    name: "a restart ends all rests",
    edits: [{
      file: "pool/record.ts",
      from: "untilMs: Math.min(atMs, nowMs + COOLING_MS)",
      to: "untilMs: Math.min(atMs, nowMs)",
    }],
  },
  {
    name: "a card is created before its intent is written",
    edits: [
      {
        file: "pool/keeper.ts",
        from: "    turn.decide(nowMs);\n",
        to: "    turn.decide(nowMs);\n" +
          "    for (const call of turn.calls) this.#guard.begin(turn.state, call);\n",
      },
      {
        file: "pool/keeper.ts",
        from:
          "    for (const call of turn.calls) this.#guard.begin(this.#state, call);\n",
        to: "",
      },
    ],
  },
  {
    name: "a pod is told before its lease is written",
    edits: [{
      file: "pool/keeper.ts",
      from: "    turn.decide(nowMs);\n",
      to: "    turn.decide(nowMs);\n    this.#state = turn.state;\n" +
        "    this.#deliver(turn);\n",
    }],
  },
  {
    name: "an intent that is open isn't written",
    edits: [{
      file: "pool/record.ts",
      from: "    if (old === eni) continue;\n",
      to: '    if (old === eni || eni.phase === "creating") continue;\n',
    }],
  },
  {
    name: "a released lease stays in the journal",
    edits: [{
      file: "pool/record.ts",
      from: "if (after.leases.get(owner) !== lease) gone.leases.push(owner);",
      to: "if (after.leases.get(owner) !== lease) void owner;",
    }],
  },
  {
    name: "each attempt to create has another token",
    edits: [{
      file: "pool/guard.ts",
      from: "          token: call.eniKey,\n",
      to: "          token: `${call.eniKey}-${call.id}`,\n",
    }],
  },
  {
    name: "each attempt to assign has another token",
    edits: [{
      file: "pool/change.ts",
      from: "const { count, token } = call;",
      to: "const { count } = call;\n      const token = `assign-${call.id}`;",
    }],
  },
  {
    name: "a token is forgotten by a crash",
    scenario: "a batch of addresses",
    edits: [{
      file: "pool/record.ts",
      from: "assign: assign && { ...assign, unsure: true },",
      to: "assign: undefined,",
    }],
  },
  {
    name: "a creation without an answer is taken for refused",
    edits: [{
      file: "pool/failure.ts",
      from: "const isOpen = isUnsure(problem) || eni.unsure;",
      to: "const isOpen = false;",
    }],
  },
  {
    name: "an intent is closed without waiting for late requests",
    edits: [{
      file: "pool/failure.ts",
      from:
        'return entered(eni, "seeking", { nowMs, notBeforeMs: nowMs + PROOF_MS });',
      to: 'return entered(eni, "seeking", { nowMs, notBeforeMs: nowMs });',
    }],
  },
  {
    name: "a late Unassign isn't waited for",
    scenario: "a late Unassign",
    edits: [{
      file: "pool/failure.ts",
      from: "assignFromMs: isUnsure(problem) ? nowMs + PROOF_MS : ",
      to: "assignFromMs: isUnsure(problem) ? 0 : ",
    }],
  },
  {
    name: "a restart forgets that a late Create may come",
    scenario: "a late Create",
    edits: [{
      file: "pool/record.ts",
      from: 'record.phase === "seeking" ? nowMs + PROOF_MS : 0',
      to: "0",
    }],
  },
  {
    name: "an address that another card still holds is lent",
    edits: [{
      file: "pool/card.ts",
      from: 'isHeldElsewhere(state, eni, ip) ? "quarantined" : "idle"',
      to: 'isHeldElsewhere(state, eni, ip) ? "idle" : "idle"',
    }],
  },
  {
    name: "a card is given up after one look",
    edits: [{
      file: "pool/limits.ts",
      from: "export const MISSING_MS: number = 10_000;",
      to: "export const MISSING_MS: number = 0;",
    }],
  },
  {
    name: "more calls run at once than the cloud is promised",
    edits: [{
      file: "pool/limits.ts",
      from: "{ take: 5, give: 2, look: 1 }",
      to: "{ take: 9, give: 2, look: 1 }",
    }, {
      file: "pool/guard.ts",
      from: "!isToCloud(call) || toCloud < CALLS_AT_ONCE,",
      to: "!isToCloud(call) || toCloud < 99,",
    }],
  },
  {
    name: "a call has no deadline",
    edits: [{
      file: "pool/guard.ts",
      from: "clock.after(limitMs, () => {",
      to: "clock.after(limitMs * 1_000, () => {",
    }],
  },
  {
    name: "others' cards are detached and deleted",
    edits: [{
      file: "pool/stock.ts",
      from: "return limits.hotPlug && !eni.isAdopted;",
      to: "return limits.hotPlug;",
    }, {
      file: "pool/observe.ts",
      from: "eni.isAdopted && LEAVING.has(next) ? eni.phase : next",
      to: "next",
    }],
  },
  {
    name: "what a card had in the kernel stays there",
    edits: [{
      file: "pool/guard.ts",
      from:
        "        await host[call.kind](hostEni(eniOf(state, call.eniKey)), signal);\n",
      to: '        if (call.kind === "prepare") {\n' +
        "          await host.prepare(hostEni(eniOf(state, call.eniKey)), signal);\n" +
        "        }\n",
    }],
  },
  {
    name: "a card leaves from under its pods",
    edits: [{
      file: "pool/shrink.ts",
      from: "if (busy > 0 || total > surplus) continue;",
      to: "if (total > surplus) continue;",
    }],
  },
  {
    name: "a quota is forgotten at once",
    edits: [{
      file: "pool/failure.ts",
      from: "return { ...state, full: { sinceMs: nowMs, untilMs, problem } };",
      to: "void untilMs;\n    return state;",
    }],
  },
  {
    name: "a throttled API is called again at once",
    edits: [{
      file: "pool/failure.ts",
      from: "return (Math.floor(nowMs / 60_000) + 1) * 60_000 +",
      to: "return nowMs + 1_000 +",
    }],
  },
  {
    name: "the cloud's surplus is never given back",
    edits: [{
      file: "pool/shrink.ts",
      from: "  if (surplus <= 0) return;",
      to: "  if (surplus >= 0) return;",
    }],
  },
  {
    name: "an IPv6 address doesn't rest",
    edits: [{
      file: "pool/lease.ts",
      from: "    slots.set(ip, next);",
      to: "    slots.set(\n" +
        '      ip,\n      ip === lease.ip6 ? { kind: "idle", sinceMs: nowMs } : next,\n    );',
    }],
  },
  {
    name: "a dual-stack pod gets IPv4 alone when there is no IPv6",
    edits: [{
      file: "pool/plan.ts",
      from: "if (six !== undefined && ip6 === undefined) break;",
      to: "",
    }],
  },
  {
    name: "the journal forgets a lease's IPv6 address",
    edits: [{
      file: "pool/journal_rows.ts",
      from: "const { ip6 = null } = lease;",
      to: "const ip6 = null;",
    }],
  },
  {
    name: "the journal forgets that a card is the trunk",
    scenario: "a trunk, and members on it",
    edits: [{
      file: "pool/journal_rows.ts",
      from: "...(row.trunk === 1 ? { trunk: true } : {}),",
      to: "",
    }],
  },
  {
    name: "a trunk is asked for while another is on its way",
    edits: [{
      file: "pool/trunk.ts",
      from: "trunkOf(state) === undefined &&",
      to: 'trunkOf(state)?.phase !== "ready" &&',
    }],
  },
  {
    name: "the trunk is made as a common card",
    edits: [{
      file: "pool/guard.ts",
      from: "...call.intent.trunk && { trunk: true },",
      to: "",
    }],
  },
  {
    name: "a prefix goes while a pod has an address of it",
    edits: [{
      file: "pool/prefixed.ts",
      from: "    ipsOfPrefix(prefix).every((ip) =>\n",
      to: "    ipsOfPrefix(prefix).some((ip) =>\n",
    }],
  },
  {
    name: "an address of a prefix is given back alone",
    edits: [{
      file: "pool/shrink.ts",
      from: "    if (prefixOf(eni, ip) !== undefined) continue;\n",
      to: "",
    }],
  },
  {
    name: "prefixes that nobody needs stay",
    edits: [{
      file: "pool/shrink.ts",
      from: "    const count = givePrefixes(eni, 4, { atMost, desk });\n",
      to: "    const count = 0;\n    void atMost;\n",
    }],
  },
  {
    name: "prefixes that shall be kept are given back",
    edits: [{
      file: "pool/shrink.ts",
      from: "let sparePrefixes = prefixCount(state, lead) - minCount;",
      to: "let sparePrefixes = prefixCount(state, lead) + 0 * minCount;",
    }],
  },
  {
    name: "after a crash prefixes are asked for as single addresses",
    scenario: "prefixes come and go",
    edits: [{
      file: "pool/journal_rows.ts",
      from: "    Number(assign?.ofPrefixes ?? false),\n",
      to: "    0,\n",
    }],
  },
  {
    name: "IPv6 addresses that nobody will have stay",
    edits: [{
      file: "pool/shrink.ts",
      from: "    give(eni, 6, { most: stray6, desk });\n",
      to: "    void stray6;\n",
    }],
  },
];
