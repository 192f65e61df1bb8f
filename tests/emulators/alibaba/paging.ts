/**
 * The two ways in which the service gives long lists in pieces.
 *
 * `MaxResults` and `NextToken` go by the place of the last record given, so
 * that records which come and go meanwhile neither repeat nor hide others;
 * `PageNumber` and `PageSize`, deprecated by ECS and the only way of VPC, go
 * by count and can do both.
 *
 * @module
 */
import { invalid, type Params } from "./params.ts";

/** A piece of a list, and what the answer says about it. */
export interface Page<T> {
  /** The records. */
  readonly items: readonly T[];
  /** `NextToken`, or `PageNumber` and `PageSize`; and `TotalCount`. */
  readonly meta: Readonly<Record<string, string | number>>;
}

/** The bounds of `MaxResults` or `PageSize`. */
export interface PageBounds {
  /** Fewer are made so many; also what nothing asked for means. */
  readonly least: number;
  /** More are made so many. */
  readonly most: number;
}

/**
 * Takes a piece out of a list, in whichever way the call asks.
 *
 * @param items All that the filter met, in the order of creation.
 * @param params The call.
 * @param bounds The bounds of the piece's length.
 * @returns The piece.
 */
export function page<T extends { readonly order: number }>(
  items: readonly T[],
  params: Params,
  bounds: PageBounds,
): Page<T> {
  const byToken = params.text("MaxResults") !== undefined ||
    params.text("NextToken") !== undefined;
  return byToken
    ? pageByToken(items, params, bounds)
    : pageByNumber(items, params, bounds);
}

/**
 * Takes a piece by `PageNumber` and `PageSize`.
 *
 * @param items All that the filter met.
 * @param params The call.
 * @param bounds The bounds of `PageSize`.
 * @returns The piece.
 */
export function pageByNumber<T>(
  items: readonly T[],
  params: Params,
  bounds: PageBounds,
): Page<T> {
  const pageNumber = Math.max(1, params.count("PageNumber") ?? 1);
  const pageSize = Math.min(
    bounds.most,
    Math.max(1, params.count("PageSize") ?? bounds.least),
  );
  const start = (pageNumber - 1) * pageSize;
  return {
    items: items.slice(start, start + pageSize),
    meta: {
      PageNumber: pageNumber,
      PageSize: pageSize,
      TotalCount: items.length,
    },
  };
}

function pageByToken<T extends { readonly order: number }>(
  items: readonly T[],
  params: Params,
  bounds: PageBounds,
): Page<T> {
  const maxResults = Math.min(
    bounds.most,
    Math.max(bounds.least, params.count("MaxResults") ?? bounds.least),
  );
  const after = readToken(params.text("NextToken"));
  const rest = items.filter(({ order }) => order > after);
  const piece = rest.slice(0, maxResults);
  const last = piece.at(-1);
  return {
    items: piece,
    meta: {
      TotalCount: items.length,
      NextToken: rest.length > piece.length && last !== undefined
        ? btoa(`after ${last.order}`)
        : "",
    },
  };
}

function readToken(token: string | undefined): number {
  if (token === undefined) return 0;
  try {
    const order = /^after (\d+)$/.exec(atob(token))?.[1];
    if (order !== undefined) return Number(order);
  } catch {
    // Not base64: as wrong as any other token that we didn't give.
  }
  throw invalid("NextToken", token);
}
