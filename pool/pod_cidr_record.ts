/**
 * The name under which a node's pod CIDR is in the journal, beside the cards.
 *
 * @module
 */
import { addressAt, type Cidr } from "../netns/ip.ts";
import type { EniRecord, Snapshot } from "./record.ts";
import type { EniKey } from "./state.ts";

/** No card is called so: their names are tokens of at least 8 characters. */
export const POD_CIDR_KEY: EniKey = "podcidr";

/**
 * Tells whether a record is of the pod CIDR.
 *
 * @param record An address or a lease.
 * @returns Whether it is.
 */
export function isOfPodCidr(record: { readonly eniKey: EniKey }): boolean {
  return record.eniKey === POD_CIDR_KEY;
}

/**
 * Gives what a journal holds of cards.
 *
 * @param snapshot All that it holds.
 * @returns The rest, without the pod CIDR.
 */
export function withoutPodCidr(snapshot: Snapshot): Snapshot {
  return {
    enis: snapshot.enis.filter(({ key }) => key !== POD_CIDR_KEY),
    slots: snapshot.slots.filter((slot) => !isOfPodCidr(slot)),
    leases: snapshot.leases.filter((lease) => !isOfPodCidr(lease)),
  };
}

/**
 * Gives the record that addresses of a prefix belong to.
 *
 * @param cidr The prefix.
 * @returns A card's record: the journal's checks know nothing else.
 */
export function podCidrRecord(cidr: Cidr): EniRecord {
  return {
    key: POD_CIDR_KEY,
    isAdopted: false,
    phase: "ready",
    sinceMs: 0,
    intent: {
      vSwitchId: POD_CIDR_KEY,
      subnet: cidr,
      ipCount: 1,
      securityGroupIds: [],
    },
    card: {
      id: POD_CIDR_KEY,
      mac: "",
      zone: "",
      primaryIp: addressAt(cidr, 1),
    },
    assign: undefined,
  };
}
