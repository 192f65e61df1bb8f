/**
 * What a filter does with a packet, as netlink attributes.
 *
 * @module
 */
import { type Attribute, u32, viewOf } from "./message.ts";
import { type Attributes, nested } from "./tc_message.ts";

/** Messages are in the machine's order; x86-64 and arm64 have this one. */
const LITTLE_ENDIAN = true;

/** Source: linux/pkt_cls.h and linux/tc_act/. */
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
/** The number of the structure that each of the actions below begins with. */
const PARMS = 2;
const TCA_SKBEDIT_PTYPE = 7;
const TCA_VLAN_PUSH_VLAN_ID = 3;
const TC_ACT_OK = 0;
const TC_ACT_PIPE = 3;
const TC_ACT_STOLEN = 4;
const TUNNEL_KEY_RELEASE = 2;
const PACKET_HOST = 0;
const TCA_INGRESS_REDIR = 3;
const VLAN_POP = 1;
const VLAN_PUSH = 2;
/** Where an action's own word lies: after index, capab, action, counts. */
const OWN_WORD = 20;

/** What is done with a packet, by the kernel's names. */
export type FilterAction =
  /** Forgets the route that it came by. */
  | { readonly kind: "tunnel_key" }
  /** Makes it one for this machine. */
  | { readonly kind: "skbedit" }
  /** Gives it to a link of this machine as if it had come in there. */
  | { readonly kind: "mirred"; readonly toIndex: number }
  /** Adds a tag, or takes the tag off. */
  | { readonly kind: "vlan"; readonly pushId?: number };

/**
 * Writes an action.
 *
 * @param action What is done.
 * @returns Its kind and its options.
 */
export function actionAttributes(action: FilterAction): readonly Attribute[] {
  const { kind } = action;
  return [
    [TCA_ACT_KIND, new TextEncoder().encode(`${kind}\0`)],
    [TCA_ACT_OPTIONS, actionOptions(action)],
  ];
}

/** Each begins with struct tc_gen: index, capab, action, two counts. */
function actionOptions(action: FilterAction): readonly Attribute[] {
  const parms = (result: number, ...own: number[]): Attribute => [
    PARMS,
    u32(0, 0, result, 0, 0, ...own),
  ];
  switch (action.kind) {
    case "tunnel_key":
      return [parms(TC_ACT_PIPE, TUNNEL_KEY_RELEASE)];
    case "skbedit":
      return [
        parms(TC_ACT_PIPE),
        [TCA_SKBEDIT_PTYPE, new Uint8Array([PACKET_HOST, 0])],
      ];
    case "mirred":
      return [parms(TC_ACT_STOLEN, TCA_INGRESS_REDIR, action.toIndex)];
    case "vlan": {
      const { pushId } = action;
      if (pushId === undefined) return [parms(TC_ACT_OK, VLAN_POP)];
      const id = new Uint8Array([pushId & 0xff, pushId >> 8]);
      return [parms(TC_ACT_OK, VLAN_PUSH), [TCA_VLAN_PUSH_VLAN_ID, id]];
    }
  }
}

/**
 * Reads an action.
 *
 * @param action Its attributes.
 * @returns Nothing for one that isn't written by this module.
 */
export function readAction(action: Attributes): FilterAction | undefined {
  const kind = new TextDecoder().decode(action.get(TCA_ACT_KIND))
    .replace(/\0$/, "");
  const options = nested(action.get(TCA_ACT_OPTIONS));
  const parms = options.get(PARMS) ?? new Uint8Array();
  const word = (at: number): number =>
    parms.length < at + 4 ? -1 : viewOf(parms).getUint32(at, LITTLE_ENDIAN);
  const own = word(OWN_WORD);
  switch (kind) {
    case "tunnel_key":
      return own === TUNNEL_KEY_RELEASE ? { kind } : undefined;
    case "skbedit":
      return options.get(TCA_SKBEDIT_PTYPE)?.[0] === PACKET_HOST
        ? { kind }
        : undefined;
    case "mirred":
      if (own !== TCA_INGRESS_REDIR) return undefined;
      return { kind, toIndex: word(OWN_WORD + 4) };
    case "vlan": {
      if (own === VLAN_POP) return { kind };
      const id = options.get(TCA_VLAN_PUSH_VLAN_ID);
      if (own !== VLAN_PUSH || id === undefined) return undefined;
      return { kind, pushId: viewOf(id).getUint16(0, LITTLE_ENDIAN) };
    }
  }
}
