/**
 * The versions of the CNI spec that are spoken.
 *
 * @module
 */

/** A version of the CNI spec. */
export type CniVersion = "0.3.0" | "0.3.1" | "0.4.0" | "1.0.0" | "1.1.0";

/** The versions of the CNI spec that are spoken, oldest first. */
export const CNI_VERSIONS: readonly CniVersion[] = [
  "0.3.0",
  "0.3.1",
  "0.4.0",
  "1.0.0",
  "1.1.0",
];

/**
 * Tells whether a text is one of them.
 *
 * @param value Anything.
 * @returns True when it is spoken.
 */
export function isVersion(value: unknown): value is CniVersion {
  return CNI_VERSIONS.some((version) => version === value);
}
