/**
 * Giving up on work that can't be stopped.
 *
 * @module
 */

/**
 * Settles with the work, or rejects as soon as the signal ends; the work then
 * goes on unheard.
 *
 * @param work What may take too long.
 * @param signal Until when it is waited for.
 * @returns What the work gives.
 * @throws The signal's reason, when it ends first.
 */
export function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([work, promise]).finally(() =>
    signal.removeEventListener("abort", onAbort)
  );
}
