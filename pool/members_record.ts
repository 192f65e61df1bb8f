/**
 * The name under which pods with member ENIs are in the journal, beside the
 * cards.
 *
 * @module
 */
import type { EniRecord, Snapshot } from "./record.ts";
import type { EniKey } from "./state.ts";

/** No card is called so: their names are tokens of at least 8 characters. */
export const MEMBERS_KEY: EniKey = "members";

/**
 * Tells whether a record is of a pod with a member ENI.
 *
 * @param record An address or a lease.
 * @returns Whether it is.
 */
export function isOfMembers(record: { readonly eniKey: EniKey }): boolean {
  return record.eniKey === MEMBERS_KEY;
}

/**
 * Gives what a journal holds beside pods with member ENIs.
 *
 * @param snapshot All that it holds.
 * @returns The rest.
 */
export function withoutMembers(snapshot: Snapshot): Snapshot {
  return {
    enis: snapshot.enis.filter(({ key }) => key !== MEMBERS_KEY),
    slots: snapshot.slots.filter((slot) => !isOfMembers(slot)),
    leases: snapshot.leases.filter((lease) => !isOfMembers(lease)),
  };
}

/**
 * Gives the record that members' addresses belong to.
 *
 * @returns A card's record: the journal's checks know nothing else.
 */
export function membersRecord(): EniRecord {
  return {
    key: MEMBERS_KEY,
    isAdopted: true,
    phase: "ready",
    sinceMs: 0,
    intent: {
      vSwitchId: MEMBERS_KEY,
      subnet: "0.0.0.0/0",
      ipCount: 1,
      securityGroupIds: [],
    },
    card: { id: MEMBERS_KEY, mac: "", zone: "", primaryIp: "0.0.0.0" },
    assign: undefined,
  };
}
