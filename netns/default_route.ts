/**
 * Default routes that somebody laid over a card of pods: a DHCP client, a
 * network manager, or the kernel itself by a router advertisement. The node's
 * own traffic would leave by that card, with addresses that it hasn't got.
 *
 * @module
 */
import { listLinks } from "./link.ts";
import { deleteRoute, listRoutes, type RouteSeen } from "./route.ts";
import type { RouteSocket } from "./socket.ts";
import { TABLE_MAIN } from "./step.ts";
import { writeSettings } from "./sysctl.ts";

/** Routes learnt by router advertisements. Source: linux/rtnetlink.h. */
const RTPROT_RA = 9;

/** Routes of DHCP clients. Source: linux/rtnetlink.h. */
const RTPROT_DHCP = 16;

/** A default route that was taken away. */
export interface DroppedDefault {
  /** The card's name. */
  readonly link: string;
  /** The command that makes it again. */
  readonly route: string;
  /** Who made it, as far as the route says. */
  readonly by: "router advertisement" | "DHCP" | "somebody";
}

/**
 * Takes the default routes of cards out of the main table. A card whose routes
 * come by router advertisements is told to hear them no more.
 *
 * Equivalent to: `ip route delete default dev $link`, the same with `-6`, and
 * `sysctl net.ipv6.conf.$link.accept_ra=0`.
 *
 * @param macs The cards' MACs; one that isn't here is passed over.
 * @param socket Serves the node's namespace.
 * @returns What was taken away.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function dropDefaults(
  macs: readonly string[],
  socket: RouteSocket,
): readonly DroppedDefault[] {
  const links = listLinks(socket).filter(({ mac, kind }) =>
    // What lies on a card has its MAC, too.
    macs.includes(mac) && kind !== "ipvlan" && kind !== "vlan"
  );
  const names = new Map(links.map(({ ifIndex, name }) => [ifIndex, name]));
  const found = listRoutes(socket, TABLE_MAIN).filter((route) =>
    names.has(route.ifIndex) && isDefault(route)
  );
  return found.map((route) => {
    const { ifIndex, destination, gateway, metric, protocol } = route;
    const link = names.get(ifIndex) ?? "";
    if (protocol === RTPROT_RA) {
      const key = `net/ipv6/conf/${link}/accept_ra`;
      writeSettings([{ key, value: "0" }], socket.namespace);
    }
    const via = gateway === undefined ? {} : { gateway };
    deleteRoute(socket, { ifIndex, destination, metric, protocol, ...via });
    const words = [
      ...destination.includes(":") ? ["-6"] : [],
      ...["route", "add", "default"],
      ...gateway === undefined ? [] : ["via", gateway],
      ...["dev", link, "metric", String(metric)],
    ];
    return { link, route: `ip ${words.join(" ")}`, by: makerOf(protocol) };
  });
}

function isDefault({ destination, type }: RouteSeen): boolean {
  const isUnicast = type === 1;
  return isUnicast && (destination === "0.0.0.0/0" || destination === "::/0");
}

function makerOf(protocol: number): DroppedDefault["by"] {
  if (protocol === RTPROT_RA) return "router advertisement";
  return protocol === RTPROT_DHCP ? "DHCP" : "somebody";
}
