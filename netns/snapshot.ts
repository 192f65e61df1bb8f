/**
 * What a namespace holds, as far as somebody asks. For one plan, objects are
 * looked for one by one; for many, each kind is dumped once, when it is first
 * asked for, and looked up by key from then on.
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
import {
  dumpRules,
  findRoutes,
  firstRule,
  type RouteWish,
  type RuleFound,
} from "./search.ts";
import { findNeighbour, hasAddress } from "./search_link.ts";
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
  readonly #manyPlans: boolean;
  readonly #indexes = new Map<string, unknown>();

  /**
   * Takes nothing yet.
   *
   * @param socket Serves the namespace.
   * @param options Whether many pods' plans will be held against it, so that
   * a dump of all objects is less than a look for each.
   */
  constructor(
    socket: RouteSocket,
    { manyPlans = false }: { readonly manyPlans?: boolean } = {},
  ) {
    this.#socket = socket;
    this.#manyPlans = manyPlans;
  }

  /**
   * Finds a link.
   *
   * @param name Its name.
   * @returns The link; undefined when there is none.
   */
  link(name: string): LinkSeen | undefined {
    if (!this.#manyPlans) return findLinkByName(this.#socket, name);
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
    if (!this.#manyPlans) return getInetConf(this.#socket, ifIndex);
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
    if (!this.#manyPlans) return hasAddress(this.#socket, ifIndex, cidr);
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
    if (!this.#manyPlans) return findNeighbour(this.#socket, ifIndex, ip);
    return this.#index("neighbours", () => {
      const seen = listNeighbours(this.#socket);
      return new Map(seen.map((one) => [`${one.ifIndex} ${one.ip}`, one]));
    }).get(`${ifIndex} ${ip}`);
  }

  /**
   * Finds routes.
   *
   * @param wish Which.
   * @returns The routes; none is empty.
   */
  routes(wish: RouteWish): readonly RouteSeen[] {
    if (!this.#manyPlans) return findRoutes(this.#socket, wish);
    const { table, destination, ifIndex, type } = wish;
    const routes = this.#index("routes", () =>
      Map.groupBy(
        listRoutes(this.#socket),
        (route) => `${route.table} ${route.destination}`,
      )).get(`${table} ${destination}`) ?? [];
    return routes.filter((route) =>
      (ifIndex === undefined || route.ifIndex === ifIndex) &&
      (type === undefined || route.type === type)
    );
  }

  /**
   * Finds the rule that decides for some packets at a priority: the first.
   *
   * @param match Which packets, and the priority.
   * @returns The rule; undefined when there is none.
   */
  rule(match: RuleMatch): RuleFound | undefined {
    if (!this.#manyPlans) {
      const family = ruleFamily(match);
      const rules = this.#index(
        `rules ${family}`,
        () => dumpRules(this.#socket, family),
      );
      return firstRule(rules, match);
    }
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
