/**
 * The emulator's own paths, beside the service's: what makes things go wrong,
 * what changes the cloud behind its users' backs, and what shows it all.
 *
 * | request | body | answer |
 * | --- | --- | --- |
 * | `POST /_faults` | rules, or `{seed, rules}` | the script from now on |
 * | `GET /_faults` | | the script, and how often each rule struck |
 * | `DELETE /_faults` | | the empty script |
 * | `GET /_state` | | the records |
 * | `POST /_act` | a deed; see `deeds.ts` | what came of it |
 *
 * Nothing here is signed, and nothing is a call: it is for whoever runs the
 * emulator. The service itself answers at `/` only.
 *
 * @module
 */
import { z } from "zod";
import type { EmulatedCloud } from "./cloud.ts";
import { act, readDeed } from "./deeds.ts";
import { Refusal } from "./refusal.ts";
import type { FaultRule } from "./script.ts";

const count = z.int().nonnegative();

const rule = z.strictObject({
  fault: z.enum([
    "throttle",
    "5xx",
    "timeout",
    "lost",
    "garbage",
    "denied",
    "slow",
    "slow attach",
    "stale metadata",
  ]),
  action: z.string().min(1).optional(),
  after: count.optional(),
  times: count.optional(),
  probability: z.number().min(0).max(1).optional(),
  ms: count.optional(),
  status: z.literal([500, 503]).optional(),
  done: z.boolean().optional(),
});

const script = z.union([
  z.array(rule).transform((rules) => ({ rules, seed: 1 })),
  z.strictObject({ seed: z.int().default(1), rules: z.array(rule) }),
]);

/** How the emulator's own paths begin. */
const OWN = "/_";

/**
 * Answers a request to the emulator itself.
 *
 * @param cloud The cloud.
 * @param request The request.
 * @returns The answer in JSON, or nothing when the request is the service's:
 * 400 for a body that is none, 404 for a path, 405 for a method, 409 for a
 * deed that the cloud's own rules refuse.
 */
export async function control(
  cloud: EmulatedCloud,
  request: Request,
): Promise<Response | undefined> {
  const { pathname } = new URL(request.url);
  if (!pathname.startsWith(OWN)) return undefined;
  const methods = PATHS[pathname];
  if (methods === undefined) return problem(404, `no such path: ${pathname}`);
  const answer = methods[request.method];
  if (answer === undefined) {
    return problem(405, `one of ${Object.keys(methods).join(", ")}`);
  }
  try {
    return Response.json(await answer(cloud, await bodyOf(request)) ?? {});
  } catch (error) {
    if (error instanceof z.ZodError) {
      return problem(400, z.prettifyError(error));
    }
    if (error instanceof SyntaxError) return problem(400, error.message);
    if (error instanceof Refusal) {
      return problem(409, `${error.code}: ${error.message}`);
    }
    throw error;
  }
}

type Answer = (cloud: EmulatedCloud, body: unknown) => unknown;

const PATHS: Readonly<Record<string, Readonly<Record<string, Answer>>>> = {
  "/_faults": {
    GET: (cloud) => cloud.script.state(),
    POST(cloud, body): unknown {
      const { rules, seed } = script.parse(body);
      cloud.script.begin(rules.map(told), seed);
      return cloud.script.state();
    },
    DELETE(cloud): unknown {
      cloud.script.clear();
      return cloud.script.state();
    },
  },
  "/_state": { GET: (cloud) => cloud.dump() },
  "/_act": { POST: (cloud, body) => act(cloud, readDeed(body)) },
};

/** Leaves out what a rule doesn't say: an absent key isn't an undefined one. */
function told(raw: z.infer<typeof rule>): FaultRule {
  const said = Object.entries(raw).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(said), fault: raw.fault };
}

async function bodyOf(request: Request): Promise<unknown> {
  const text = await request.text();
  return text === "" ? undefined : JSON.parse(text);
}

function problem(status: number, message: string): Response {
  return Response.json({ problem: message }, { status });
}
