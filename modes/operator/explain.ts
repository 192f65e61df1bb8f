/**
 * `terway explain`: one pod of this node, from its address to the commands
 * that would set it up, what differs in the kernel, and what happened.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import type { Explanation } from "../explain_form.ts";
import { messageOf, print, readCommandLine } from "../command_line.ts";
import { ask, DEFAULT_SOCKET } from "../wire.ts";
import { commandsText, explainText } from "./explain_text.ts";

/** The daemon looks into the pod's namespace; its kernel thread may be busy. */
const REPLY_DEADLINE_MS = 15_000;

const USAGE = `terway explain: one pod of this node, and all that is known of it

  terway explain POD|NETNS|CONTAINERID [flags]

  POD            a pod's name, with or without its namespace and a slash
  NETNS          the path of a network namespace
  CONTAINERID    a sandbox's id, or at least 4 characters of its beginning;
                 an address, and what explain itself prints, are found too

  --as-commands  only the commands of ip, tc and nft that the plan equals
  --json         as JSON, in a form that stays
  --socket PATH  where the daemon is asked [${DEFAULT_SOCKET}]
  --help         this text
`;

/** What the command line says. */
interface Wish {
  readonly what: string;
  readonly socket: string;
  readonly form: "text" | "commands" | "json";
  readonly help: boolean;
}

/**
 * Asks the daemon and prints what it says.
 *
 * @param args What follows `terway explain`.
 * @returns The exit status: 0 for one pod, 1 when it isn't known, isn't one,
 * or no daemon answers, 2 for a wrong command line.
 */
export async function main(args: readonly string[]): Promise<number> {
  const wish = readCommandLine(
    { mode: "explain", usage: USAGE },
    () => readArguments(args),
  );
  if (typeof wish === "number") return wish;
  try {
    return await explain(wish);
  } catch (error) {
    print(
      Deno.stderr,
      `terway explain: no daemon answers on ${wish.socket}: ${
        messageOf(error)
      }\n` +
        "Run it on the pod's node, in the terway pod or as root; if it lasts, " +
        "the terway pod's log says why\n",
    );
    return 1;
  }
}

function readArguments(args: readonly string[]): Wish {
  const problems: string[] = [];
  const flags = parseArgs([...args], {
    // Ids may look like numbers: `1e3` mustn't become 1000.
    string: ["socket", "_"],
    boolean: ["json", "as-commands", "help"],
    default: { socket: DEFAULT_SOCKET },
    unknown: (arg) => {
      if (!arg.startsWith("-")) return true;
      problems.push(`${arg} is not known`);
      return false;
    },
  });
  const [what = "", ...more] = flags._.map(String);
  if (!flags.help && what === "") {
    problems.push("a pod, a namespace or a container's id must be named");
  }
  if (more.length > 0) problems.push(`${more.join(", ")}: one at a time`);
  if (flags.json && flags["as-commands"]) {
    problems.push("--json and --as-commands exclude each other");
  }
  if (problems.length > 0) throw new SyntaxError(problems.join("; "));
  const form = flags["as-commands"] ? "commands" : "text";
  return {
    what,
    socket: flags.socket,
    form: flags.json ? "json" : form,
    help: flags.help,
  };
}

async function explain({ what, socket, form }: Wish): Promise<number> {
  const { status, document } = await ask(socket, {
    variables: new Map([["TERWAY_COMMAND", "explain"]]),
    stdin: new TextEncoder().encode(JSON.stringify({ what })),
  }, AbortSignal.timeout(REPLY_DEADLINE_MS));
  if (status !== 0) {
    const { msg, details } = JSON.parse(document);
    print(Deno.stderr, `terway explain: ${msg}${details && `: ${details}`}\n`);
    return 1;
  }
  const explanation: Explanation = JSON.parse(document);
  const isFound = explanation.kind === "pod";
  if (form === "json") {
    print(Deno.stdout, document);
    return isFound ? 0 : 1;
  }
  if (!isFound) {
    print(Deno.stderr, explainText(explanation, what));
    return 1;
  }
  if (form === "text") {
    print(Deno.stdout, explainText(explanation, what));
    return 0;
  }
  const commands = commandsText(explanation.pod);
  if (commands === undefined) {
    print(
      Deno.stderr,
      `terway explain: ${what} has no address, so there is no plan: ` +
        `terway explain ${explanation.pod.owner} says why\n`,
    );
    return 1;
  }
  print(Deno.stdout, commands);
  return 0;
}
