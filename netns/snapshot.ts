/**
 * What a namespace holds, as far as somebody asks: each kind of object is
 * dumped once, when it is first asked for, and looked up by key from then on.
 *
 * @module
 */
import { listAddresses } from "./address.ts";
import { getInetConf, type InetConf, listInetConfs } from "./conf.ts";
import type { Cidr, Ip } from "./ip.ts";
import { findLinkByName, type LinkSeen, listLinks } from "./link.ts";
import { listNeighbours, type NeighbourSeen } from "./neighbour.ts";
import { listRoutes, type RouteSeen } from "./route.ts";
import { listRules, type RuleSeen } from "./rule.ts";
import type { RouteSocket } from "./socket.ts";
import { ruleFamily, type RuleStep } from "./step.ts";

/** What tells rules apart that match the same packets at one priority. */
export type RuleMatch = Pick<
  RuleStep,
  "priority" | "from" | "to" | "oif" | "mark" | "family"
>;

/** One namespace at about one moment. */
export class Snapshot {
  readonly #socket: RouteSocket;
  readonly #manyLinks: boolean;
  readonly #indexes = new Map<string, unknown>();

  /**
   * Takes nothing yet.
   *
   * @param socket Serves the namespace.
   * @param options Whether many links will be asked for, so that a dump of
   * them all is less than asking for each.
   */
  constructor(
    socket: RouteSocket,
    { manyLinks = false }: { readonly manyLinks?: boolean } = {},
  ) {
    this.#socket = socket;
    this.#manyLinks = manyLinks;
  }

  /**
   * Finds a link.
   *
   * @param name Its name.
   * @returns The link; undefined when there is none.
   */
  link(name: string): LinkSeen | undefined {
    if (!this.#manyLinks) return findLinkByName(this.#socket, name);
    return this.#index("links", () => {
      const links = listLinks(this.#socket);
      return new Map(links.map((link) => [link.name, link]));
    }).get(name);
  }

  /**
   * Reads a link's IPv4 settings.
   *
   * @param ifIndex The link's index.
   * @returns The settings; undefined when there is no such link.
   */
  conf(ifIndex: number): InetConf | undefined {
    if (!this.#manyLinks) return getInetConf(this.#socket, ifIndex);
    return this.#index("confs", () => listInetConfs(this.#socket)).get(ifIndex);
  }

  /**
   * Tells whether a link has an address.
   *
   * @param ifIndex The link's index.
   * @param cidr The address with its prefix length.
   * @returns True when it has.
   */
  hasAddress(ifIndex: number, cidr: Cidr): boolean {
    return this.#index("addresses", () => {
      const seen = listAddresses(this.#socket);
      return new Set(seen.map(({ ifIndex, cidr }) => `${ifIndex} ${cidr}`));
    }).has(`${ifIndex} ${cidr}`);
  }

  /**
   * Finds a neighbour.
   *
   * @param ifIndex The link's index.
   * @param ip The neighbour's address.
   * @returns The neighbour; undefined when there is none.
   */
  neighbour(ifIndex: number, ip: Ip): NeighbourSeen | undefined {
    return this.#index("neighbours", () => {
      const seen = listNeighbours(this.#socket);
      return new Map(seen.map((one) => [`${one.ifIndex} ${one.ip}`, one]));
    }).get(`${ifIndex} ${ip}`);
  }

  /**
   * Finds the routes of a table to one destination.
   *
   * @param table The table.
   * @param destination Exactly this prefix.
   * @returns The routes; none is empty.
   */
  routes(table: number, destination: Cidr): readonly RouteSeen[] {
    return this.#index("routes", () =>
      Map.groupBy(
        listRoutes(this.#socket),
        (route) => `${route.table} ${route.destination}`,
      )).get(`${table} ${destination}`) ?? [];
  }

  /**
   * Finds the rule that decides for some packets at a priority: the first.
   *
   * @param match Which packets, and the priority.
   * @returns The rule; undefined when there is none.
   */
  rule(match: RuleMatch): RuleSeen | undefined {
    return this.#index("rules", () => {
      const rules = new Map<string, RuleSeen>();
      for (const rule of listRules(this.#socket)) {
        const key = ruleKey(rule);
        if (!rules.has(key)) rules.set(key, rule);
      }
      return rules;
    }).get(ruleKey(match));
  }

  #index<T>(name: string, build: () => T): T {
    const before = this.#indexes.get(name);
    // The name tells the type: each is used in one place.
    if (before !== undefined) return before as T;
    const built = build();
    this.#indexes.set(name, built);
    return built;
  }
}

function ruleKey(rule: RuleMatch): string {
  const { priority, from = "all", to = "all", oif = "", mark = 0 } = rule;
  return `${ruleFamily(rule)} ${priority} ${from} ${to} ${mark} ${oif}`;
}
