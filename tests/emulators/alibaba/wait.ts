/**
 * Waiting by a clock that may be virtual.
 *
 * @module
 */
import type { Clock } from "../../../pool/clock.ts";

/**
 * Waits.
 *
 * @param clock By which clock.
 * @param delayMs How long.
 * @param signal Ends the waiting before its time.
 * @returns When the time is over.
 * @throws The signal's reason, when it ends first.
 */
export function wait(
  clock: Clock,
  delayMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const forget = clock.after(delayMs, () => {
    signal.removeEventListener("abort", cancel);
    resolve();
  });
  signal.addEventListener("abort", cancel, { once: true });
  return promise;

  function cancel(): void {
    forget();
    reject(signal.reason);
  }
}
