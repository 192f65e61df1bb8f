/**
 * What a daemon tells of a pod, as lines for people.
 *
 * @module
 */
import type {
  Candidate,
  Explained,
  ExplainedLease,
  Explanation,
  Happening,
} from "../explain_form.ts";

/**
 * Writes an explanation for people: what the pod has, whether the kernel
 * agrees, by which commands it could be made by hand, and what happened.
 *
 * @param explanation What the daemon answered.
 * @param what What was asked for.
 * @returns Lines, each with its end.
 */
export function explainText(explanation: Explanation, what: string): string {
  if (explanation.kind !== "pod") return listText(explanation, what);
  const { pod, earlier, nowMs } = explanation;
  const { plan, history } = pod;
  return [
    field("pod", pod.pod ?? "not named by the runtime"),
    field("sandbox", pod.owner),
    ...pod.netns === undefined ? [] : [field("namespace", pod.netns)],
    ...stateLines(pod, nowMs),
    ...kernelLines(pod),
    ...section("plan, for all pods beside it", plan?.shared ?? []),
    ...section("plan, for this pod", plan?.pod ?? []),
    ...section("history", history.map(happening)),
    ...section(
      "earlier sandboxes",
      earlier.map(({ owner }) => `terway explain ${owner}`),
    ),
  ].join("\n") + "\n";
}

/**
 * Writes the plan as a script, to be read or run.
 *
 * @param pod What the daemon told.
 * @returns Lines, each with its end; undefined when there is no plan.
 */
export function commandsText({ plan }: Explained): string | undefined {
  if (plan === undefined) return undefined;
  return [...plan.shared, ...plan.pod].map((line) => `${line}\n`).join("");
}

function listText(
  { kind, candidates, count }: Extract<
    Explanation,
    { kind: "several" | "unknown" }
  >,
  what: string,
): string {
  const more = count > candidates.length
    ? [`  and ${count - candidates.length} more`]
    : [];
  if (kind === "several") {
    return [
      `${what} is ${count} interfaces of sandboxes; ask for one of them:`,
      ...candidates.map(line),
      ...more,
    ].join("\n") + "\n";
  }
  const known = count === 0
    ? ["it has had no pod yet"]
    : ["it knows", ...candidates.map(line), ...more];
  return [
    `the daemon of this node knows no ${what}: ${known[0]}`,
    ...known.slice(1),
    "A pod is known to its own node's daemon only (kubectl get pod -o wide), " +
    "once its runtime has called ADD there; see also: terway status",
  ].join("\n") + "\n";
}

function line({ owner, pod, ip, state }: Candidate): string {
  const has = state === "leased" ? ip ?? "an address" : state;
  return `  ${owner}  ${pod ?? "-"}  ${has}`;
}

function stateLines(
  { lease, waiting, history }: Explained,
  nowMs: number,
): readonly string[] {
  if (lease !== undefined) return leaseLines(lease, nowMs);
  if (waiting !== undefined) {
    const { sinceMs, reason, nextMs } = waiting;
    const next = nextMs === undefined
      ? ""
      : `; next try in ${span(nextMs - nowMs)}`;
    return [
      field(
        "waits",
        `for an address, since ${span(nowMs - sinceMs)}: ` +
          reason + next,
      ),
    ];
  }
  const last = history.at(-1);
  const when = last === undefined ? "" : ` since ${clock(last.lastMs)}`;
  return [field("address", `none${when}: the runtime has deleted it`)];
}

function leaseLines(
  { ips, eni, podCidr, recipe, mtu, atMs }: ExplainedLease,
  nowMs: number,
): readonly string[] {
  const from = eni === undefined
    ? `of the pod CIDR ${podCidr}`
    : `on ${eni.id} (${eni.mac})`;
  return [
    field("address", `${ips.join(", ")} ${from}`),
    field("since", `${clock(atMs)}, ${span(nowMs - atMs)} ago`),
    field("made by", `${recipe}, mtu ${mtu}`),
  ];
}

function kernelLines({ differences, problem }: Explained): readonly string[] {
  if (problem !== undefined) {
    return [field("kernel", `can't be looked at: ${problem}`)];
  }
  if (differences === undefined) return [];
  if (differences.length === 0) return [field("kernel", "as planned")];
  return [
    field("kernel", `${differences.length} differ from the plan`),
    ...differences.map(({ problem, object, seen }) =>
      `  ${problem}: ${object}` + (seen === undefined ? "" : `, it is ${seen}`)
    ),
  ];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0
    ? []
    : ["", title, ...lines.map((line) => `  ${line}`)];
}

function happening(
  { what, detail, firstMs, lastMs, count }: Happening,
): string {
  const times = count === 1 ? "" : `, ${count} times until ${clock(lastMs)}`;
  const more = detail === "" ? "" : `: ${detail}`;
  return `${clock(firstMs)} ${what}${more}${times}`;
}

function field(name: string, value: string): string {
  return `${name.padEnd(10)} ${value}`;
}

function clock(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** In the largest unit that leaves a whole number above one. */
function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const units = [[86_400, "days"], [3_600, "h"], [60, "min"]] as const;
  const [size, name] = units.find(([size]) => seconds >= 2 * size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${name}`;
}
