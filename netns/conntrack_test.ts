import { assert, assertEquals } from "@std/assert";
import { forgetFlows } from "./conntrack.ts";
import { Lab, type Room } from "./lab.ts";
import { probe } from "./probe.ts";

const { conntrack } = probe();
const options = { ignore: !conntrack.can };
const why = conntrack.can ? "" : ` (skipped: ${conntrack.reason})`;

const noOthers = { othersTurn: () => Promise.resolve() };

/** Makes a flow as a packet would. */
function insert(room: Room, words: string): void {
  const state = "--timeout 600 --state ESTABLISHED -u ASSURED";
  room.run(
    "conntrack",
    ..."-I -p tcp".split(" "),
    ...words.split(" "),
    ...state.split(" "),
  );
}

function portsLeft(room: Room, family: "ipv4" | "ipv6"): number[] {
  const said = room.run("conntrack", "-L", "-f", family, "-p", "tcp");
  return said.split("\n").flatMap((line) => {
    const port = /sport=(\d+)/.exec(line)?.[1];
    return port === undefined ? [] : [Number(port)];
  }).sort((a, b) => a - b);
}

Deno.test(
  `forgetFlows() deletes flows in which an address takes part, and no others${why}`,
  options,
  async () => {
    using lab = new Lab();
    const { node } = lab;
    const { namespace } = node;
    insert(node, "-s 10.0.0.20 -d 10.9.0.1 --sport 1 --dport 80");
    insert(node, "-s 10.9.0.1 -d 10.0.0.20 --sport 2 --dport 80");
    // A service whose backend has the address.
    insert(
      node,
      "-s 10.9.0.1 -d 172.16.0.1 -r 10.0.0.20 -q 10.9.0.1 --sport 3 --dport 80 --reply-port-src 8080 --reply-port-dst 3",
    );
    insert(node, "-s 10.0.0.2 -d 10.9.0.1 --sport 4 --dport 80");
    insert(node, "-s 10.0.0.200 -d 10.9.0.1 --sport 5 --dport 80");
    insert(node, "-s fd00::20 -d fd09::1 --sport 6 --dport 80");
    insert(node, "-s fd00::21 -d fd09::1 --sport 7 --dport 80");
    assertEquals(portsLeft(node, "ipv4"), [1, 2, 3, 4, 5]);
    const where = { namespace, ...noOthers };
    assertEquals(await forgetFlows(["10.0.0.20"], where), 3);
    assertEquals(portsLeft(node, "ipv4"), [4, 5]);
    assertEquals(portsLeft(node, "ipv6"), [6, 7]);
    assertEquals(await forgetFlows(["fd00::20", "10.0.0.20"], where), 1);
    assertEquals(portsLeft(node, "ipv6"), [7]);
    assertEquals(await forgetFlows([], where), 0);
  },
);

Deno.test(
  `forgetFlows() finds its flows among thousands, and lets others work${why}`,
  options,
  async () => {
    using lab = new Lab();
    const { node } = lab;
    const script = Array.from(
      { length: 4_000 },
      (_, i) =>
        `-I -p tcp -s 10.0.${1 + i % 4}.20 -d 10.9.0.1 --sport ${1 + i} ` +
        "--dport 80 --timeout 600 --state ESTABLISHED",
    ).join("\n");
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, script);
    node.run("conntrack", "--load-file", file);
    await Deno.remove(file);
    let turnCount = 0;
    const othersTurn = (): Promise<void> => {
      turnCount++;
      return Promise.resolve();
    };
    const where = { namespace: node.namespace, othersTurn };
    assertEquals(await forgetFlows(["10.0.3.20"], where), 1_000);
    assert(turnCount > 0);
    assertEquals(await forgetFlows(["10.0.3.20"], where), 0);
    assertEquals(portsLeft(node, "ipv4").length, 3_000);
  },
);
