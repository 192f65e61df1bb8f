/**
 * Logs: one JSON object a line, on standard error, with the field's words.
 *
 * Only `modes/` logs. `pool/` yields events, `netns/` and `k8s/` return or
 * throw, and who catches an error for good logs it, once.
 *
 * @module
 */
import { configure, getLogger, type LogRecord } from "@logtape/logtape";

/** How much is said. */
export type LogLevel = "debug" | "info" | "warning" | "error";

/** The levels, the most talkative first. */
export const LOG_LEVELS: readonly LogLevel[] = [
  "debug",
  "info",
  "warning",
  "error",
];

/** Fields of a line; units come last in a name. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Says things. */
export interface Log {
  /** What only a developer wants. */
  debug(message: string, fields?: LogFields): void;
  /** What an operator reads later. */
  info(message: string, fields?: LogFields): void;
  /** What went wrong and is being dealt with. */
  warning(message: string, fields?: LogFields): void;
  /** What went wrong and needs a person. */
  error(message: string, fields?: LogFields): void;
}

/**
 * Opens the log of this process.
 *
 * @param options The mode's name and the least level that is written.
 * @returns The log.
 */
export async function openLog(
  options: { mode: string; level: LogLevel },
): Promise<Log> {
  await configure({
    reset: true,
    sinks: { stderr: (record) => write(options.mode, record) },
    loggers: [
      { category: ["terway"], lowestLevel: options.level, sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: [] },
    ],
  });
  const logger = getLogger(["terway"]);
  return {
    debug: (message, fields = {}) => logger.debug(message, { ...fields }),
    info: (message, fields = {}) => logger.info(message, { ...fields }),
    warning: (message, fields = {}) => logger.warn(message, { ...fields }),
    error: (message, fields = {}) => logger.error(message, { ...fields }),
  };
}

/**
 * Gives an error as fields of a line: its text, its kind, and its causes.
 *
 * @param error What was thrown.
 * @returns `err`, and `kind` when it has one.
 */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { err: String(error) };
  const causes: string[] = [];
  let cause: unknown = error;
  for (let depth = 0; depth < 8 && cause instanceof Error; depth++) {
    causes.push(`${cause.name}: ${cause.message}`);
    cause = cause.cause;
  }
  const kind = "kind" in error ? { kind: error.kind } : {};
  return { err: causes.join(" <- "), ...kind };
}

const encoder = new TextEncoder();

function write(mode: string, record: LogRecord): void {
  const line = JSON.stringify({
    time: new Date(record.timestamp).toISOString(),
    level: record.level,
    mode,
    msg: record.rawMessage,
    ...record.properties,
  }, (_, value) => typeof value === "bigint" ? Number(value) : value);
  try {
    Deno.stderr.writeSync(encoder.encode(line + "\n"));
  } catch {
    // A full disk or a closed pipe: who logs must not fail with it.
  }
}
