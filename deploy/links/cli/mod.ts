/**
 * The part of `@std/cli` 1.0.20 that is used, for networks from which its
 * registry can't be reached. Deleting `links` in the project's deno.json gives
 * the real package.
 *
 * @module
 */
export { type Args, parseArgs, type ParseOptions } from "./parse_args.ts";
