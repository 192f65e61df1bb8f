/**
 * Links without a lease: a real node, a real pool that knows no ENI of theirs.
 */
import { assert, assertEquals } from "@std/assert";
import { applyPlan } from "../../netns/apply.ts";
import { hostLinkName } from "../../netns/attachment.ts";
import { openKernel } from "../../netns/kernel.ts";
import { Lab } from "../../netns/lab.ts";
import { on } from "../../pool/testing/rig.ts";
import type { Log, LogFields } from "../log.ts";
import { NodeEnis } from "./enis.ts";
import { Lender } from "./lender.ts";
import { LinkSweeper } from "./sweep.ts";

const HOPELESS = /^a live pod has no lease and can't have one again/;

/** Keeps warnings. */
function listeningLog(): { log: Log; heard: [string, LogFields?][] } {
  const heard: [string, LogFields?][] = [];
  const log = {
    debug() {},
    info() {},
    error() {},
    warning: (...one: [string, LogFields?]) => void heard.push(one),
  };
  return { log, heard };
}

Deno.test("a live pod that can't have its lease back is told of at the second look, once", () =>
  on({}, async ({ keeper }) => {
    using lab = new Lab();
    await using kernel = await openKernel({ netns: lab.node.path });
    const enis = new NodeEnis({ kernel, nodeIp: "10.0.0.10" });
    const lender = new Lender({ keeper, enis });
    const { log, heard } = listeningLog();
    const sweeper = new LinkSweeper({ kernel, lender, log });
    await sweeper.look();
    assertEquals([sweeper.hasLeft, heard], [false, []]);

    const pod = lab.pod();
    const { owner } = lab.attachment(pod);
    const link = hostLinkName(owner);
    applyPlan(lab.eniPlan(), lab.node.routes);
    applyPlan(lab.plan(pod), lab.node.routes);
    await sweeper.look();
    // Between the looks of each minute it is tried oftener.
    for (let again = 0; again < 3; again++) await sweeper.sweep();
    assertEquals([sweeper.hasLeft, heard], [true, []]);

    await sweeper.look();
    await sweeper.look();
    assertEquals(
      heard.map(([text, fields]) => [HOPELESS.test(text), fields]),
      [[true, { link }]],
    );
    const links = (await kernel.links()).map(({ name }) => name);
    assert(links.includes(link), "it is left as it is");

    // Another one is told of by itself.
    const second = lab.pod();
    applyPlan(lab.plan(second, 1), lab.node.routes);
    await sweeper.look();
    assertEquals(heard.length, 1);
    await sweeper.look();
    assertEquals(heard.map(([, fields]) => fields), [
      { link },
      { link: hostLinkName(lab.attachment(second, 1).owner) },
    ]);
  }));
