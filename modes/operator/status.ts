/**
 * `terway status`: what the daemon of this node holds, for people and scripts.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { messageOf, print, readCommandLine } from "../command_line.ts";
import { ask, DEFAULT_SOCKET } from "../wire.ts";
import { statusText } from "./status_text.ts";

/** The daemon answers from memory: more than this means that it hangs. */
const REPLY_DEADLINE_MS = 5_000;

const USAGE = `terway status: what a node's daemon holds, and who waits for what

  --socket PATH  where the daemon is asked [${DEFAULT_SOCKET}]
  --json         as JSON, in a form that stays
  --schema       that form, as a JSON Schema
  --help         this text
`;

/**
 * Asks the daemon and prints what it says.
 *
 * @param args `--socket PATH`, `--json`, or `--schema` for the form of the
 * latter as a JSON Schema.
 * @returns The exit status: 0, 1 when no daemon answers, 2 for a wrong command
 * line.
 */
export async function main(args: readonly string[]): Promise<number> {
  const flags = readCommandLine(
    { mode: "status", usage: USAGE },
    () => readArguments(args),
  );
  if (typeof flags === "number") return flags;
  if (flags.schema) {
    const { statusJsonSchema } = await import("../status_schema.ts");
    print(Deno.stdout, JSON.stringify(statusJsonSchema(), null, 2) + "\n");
    return 0;
  }
  try {
    const reply = await ask(flags.socket, {
      variables: new Map([["TERWAY_COMMAND", "status"]]),
      stdin: new Uint8Array(),
    }, AbortSignal.timeout(REPLY_DEADLINE_MS));
    const text = flags.json || reply.status !== 0
      ? reply.document
      : statusText(JSON.parse(reply.document));
    print(Deno.stdout, text);
    return reply.status;
  } catch (error) {
    print(
      Deno.stderr,
      `terway status: no daemon answers on ${flags.socket}: ${
        messageOf(error)
      }\n` +
        "Is the daemon of this node running? Its log says why it isn't, " +
        "--socket where it listens.\n",
    );
    return 1;
  }
}

function readArguments(args: readonly string[]) {
  const unknown: string[] = [];
  const flags = parseArgs([...args], {
    string: ["socket"],
    boolean: ["json", "schema", "help"],
    default: { socket: DEFAULT_SOCKET },
    unknown: (arg) => {
      unknown.push(arg);
      return false;
    },
  });
  if (unknown.length > 0) {
    throw new SyntaxError(`${unknown.join(", ")}: not known`);
  }
  return flags;
}
