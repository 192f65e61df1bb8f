/**
 * What moves packets when the cloud's records change.
 *
 * The emulated cloud is records only; a fabric gives them bodies, such as a
 * network device that appears in a node's namespace. Each hook is awaited:
 * `attach` before a card is `InUse`, `detach` before it is `Available`,
 * `assign` and `unassign` before the API answers. A hook that throws makes the
 * verb fail as the service's would: a card falls back to the state it had,
 * addresses are as before, and the call answers `InternalError`. An address
 * can be given to another card only after `unassign` resolved. An instance
 * comes with its primary card and goes with all of its cards: no hook tells of
 * that, as whoever adds or removes instances knows it.
 *
 * @module
 */
import type { Cidr, Ip } from "../../../netns/ip.ts";

/** A card as a fabric needs to know it. */
export interface FabricEni {
  /** `eni-…` */
  readonly id: string;
  /** Lower case, with colons. */
  readonly mac: string;
  /** The address that lives and dies with it. */
  readonly primaryIp: Ip;
  /**
   * All of its addresses, the primary one first, those of IPv6 last, with
   * prefixes of IPv6 as such.
   */
  readonly ips: readonly Ip[];
  /** Its vSwitch. */
  readonly vSwitchId: string;
  /** Its vSwitch's prefix; the gateway is the third-last address of it. */
  readonly cidr: Cidr;
  /** Its vSwitch's IPv6 prefix; absent without IPv6. */
  readonly cidr6?: Cidr;
  /** Its security groups. */
  readonly securityGroupIds: readonly string[];
  /** Set for one that hangs on a trunk: no card comes into the instance. */
  readonly member?: {
    /** The trunk. */
    readonly trunkId: string;
    /** Its VLAN id there. */
    readonly vlanId: number;
  };
}

/** An instance as a fabric needs to know it. */
export interface FabricInstance {
  /** `i-…` */
  readonly id: string;
  /** Its name. */
  readonly name: string;
}

/** What an emulated cloud tells whoever moves the packets. */
export interface Fabric {
  /** A card comes into an instance, with all of its addresses. */
  attach(eni: FabricEni, instance: FabricInstance): Promise<void>;
  /** A card leaves an instance. */
  detach(eni: FabricEni, instance: FabricInstance): Promise<void>;
  /** An attached card has got these addresses, or prefixes, of one family. */
  assign(eni: FabricEni, ips: readonly Ip[]): Promise<void>;
  /** An attached card has lost these addresses, or prefixes, of one family. */
  unassign(eni: FabricEni, ips: readonly Ip[]): Promise<void>;
  /** A route entry leads a prefix to an instance, by its primary card. */
  route?(cidr: Cidr, primaryEniId: string): Promise<void>;
}
