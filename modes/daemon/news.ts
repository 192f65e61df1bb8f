/**
 * What the pool tells, as lines of the log.
 *
 * @module
 */
import type { PoolNews } from "../../pool/news.ts";
import { errorFields, type Log } from "../log.ts";

/**
 * Writes a piece of news into the log, at the level that it deserves.
 *
 * @param log The log.
 * @param news What happened.
 */
export function tell(log: Log, news: PoolNews): void {
  switch (news.kind) {
    case "eniCreated":
      return log.info("an ENI was created", {
        eni: news.eniId,
        mac: news.mac,
        vswitch: news.vSwitchId,
        ip_count: news.ipCount,
      });
    case "eniAdopted":
      return log.warning("an ENI is used that the journal didn't know", {
        eni: news.eniId,
        mac: news.mac,
        own: news.isOwn,
        ip_count: news.ipCount,
      });
    case "eniReady":
      return log.info("an ENI serves pods", {
        eni: news.eniId,
        ip_count: news.ipCount,
      });
    case "eniLeaving":
      return log.info("an ENI leaves", { eni: news.eniId });
    case "eniGone":
      return log.info("an ENI is gone", {
        eni: news.eniId,
        last_phase: news.lastPhase,
      });
    case "assigned":
      return log.info("an ENI got addresses", {
        eni: news.eniId,
        ip: news.ips,
      });
    case "unassigned":
      return log.info("an ENI gave addresses back", {
        eni: news.eniId,
        ip: news.ips,
      });
    case "quarantined":
      return log.warning(
        "an ENI has addresses that weren't asked for: they are not given out",
        { eni: news.eniId, ip: news.ips },
      );
    case "leaseLost":
    case "leaseFound":
    case "addressesLost":
    case "proven":
      return tellOfDrift(log, news);
    case "callFailed":
    case "degraded":
    case "cloudBack":
    case "orphanFound":
    case "orphanPurged":
      return tellOfCloud(log, news);
    default:
      return tellOfClaims(log, news);
  }
}

type Rest = Exclude<PoolNews, {
  kind:
    | "eniCreated"
    | "eniAdopted"
    | "eniReady"
    | "eniLeaving"
    | "eniGone"
    | "assigned"
    | "unassigned"
    | "quarantined"
    | Drift["kind"]
    | OfCloud["kind"];
}>;

type OfCloud = Extract<PoolNews, {
  kind:
    | "callFailed"
    | "degraded"
    | "cloudBack"
    | "orphanFound"
    | "orphanPurged";
}>;

type Drift = Extract<PoolNews, {
  kind: "leaseLost" | "leaseFound" | "addressesLost" | "proven";
}>;

function tellOfDrift(log: Log, news: Drift): void {
  switch (news.kind) {
    case "leaseLost":
      return log.error("the cloud has taken a pod's address away", {
        owner: news.ownerKey,
        ip: news.ip,
        eni: news.eniId,
      });
    case "leaseFound":
      return log.info("the cloud has a pod's address again", {
        owner: news.ownerKey,
        ip: news.ip,
        eni: news.eniId,
      });
    case "addressesLost":
      return log.warning("an ENI lost addresses behind our back", {
        eni: news.eniId,
        ip: news.ips,
      });
    case "proven":
      return log.info("nothing uses these addresses: they are free", {
        eni: news.eniId,
        ip: news.ips,
      });
  }
}

function tellOfCloud(log: Log, news: OfCloud): void {
  switch (news.kind) {
    case "callFailed":
      return log.warning("a cloud call failed", {
        cloud: news.problem,
        eni: news.eniId,
        vswitch: news.vSwitchId,
        next_step: news.nextStep,
      });
    case "degraded": {
      const undone = news.level === "probesOnly"
        ? "pods are served from stock, and it is only asked if it is back"
        : "nothing is given back any more";
      return log.error(`the cloud is away: ${undone}`, {
        since: isoTime(news.sinceMs),
        cloud: news.problem,
      });
    }
    case "cloudBack":
      return log.info("the cloud is back: everything is done again");
    case "orphanFound":
      return log.warning("an ENI of this node is loose and has no record", {
        eni: news.eniId,
        deleted_from: isoTime(news.purgeFromMs),
      });
    case "orphanPurged":
      return log.info("a loose ENI of this node was deleted", {
        eni: news.eniId,
      });
  }
}

function tellOfClaims(log: Log, news: Rest): void {
  switch (news.kind) {
    case "vSwitchRested":
      return log.warning("a vSwitch runs dry: others come first", {
        vswitch: news.vSwitchId,
        ip_count: news.atMost,
        until: isoTime(news.untilMs),
      });
    case "full":
      return log.warning("the cloud allows no further ENI", {
        cloud: news.problem,
        until: isoTime(news.untilMs),
      });
    case "fullEnded":
      return log.info("ENIs may be created again");
    case "claimWaiting":
      return log.info("a pod waits for an address", {
        owner: news.ownerKey,
        kind: news.reason.kind,
        reason: news.reason.text,
        next: news.reason.nextMs === undefined
          ? undefined
          : isoTime(news.reason.nextMs),
      });
    case "claimRefused":
      return log.warning("a pod gets no address", {
        owner: news.ownerKey,
        kind: news.reason.kind,
        reason: news.reason.text,
      });
    case "leased":
      return log.debug("an address was leased", {
        owner: news.ownerKey,
        ip: news.ip,
        eni: news.eniId,
        took_ms: news.waitedMs,
      });
    case "released":
      return log.info("an address was released", {
        owner: news.ownerKey,
        ip: news.ip,
        eni: news.eniId,
      });
    case "journalFailed":
      return log.error("the journal can't be written: nothing is granted", {
        err: news.message,
      });
    case "journalBack":
      return log.info("the journal can be written again");
    case "broken":
      return log.error(
        "an invariant is broken: the daemon ends",
        errorFields(news.error),
      );
  }
}

function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}
