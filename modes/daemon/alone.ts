/**
 * That a node has one daemon. The journal's lock keeps a second one away from
 * the same state; this, one with a state of its own from the same socket.
 *
 * @module
 */

/** A daemon that lives accepts at once. */
const DEADLINE_MS = 2_000;

/**
 * Refuses to go on beside another daemon.
 *
 * @param socket Where daemons of this node listen.
 * @throws {Error} When one does.
 */
export async function requireAlone(socket: string): Promise<void> {
  if (!await isServed(socket)) return;
  throw new Error(
    `Cannot serve on ${socket} as another daemon does: two daemons can't ` +
      "share a node. Of terway-eniip, terway-eni and terway only one " +
      "DaemonSet may run on it (kubectl get pods -A -o wide shows which " +
      "do); delete the other, or keep it off by the node label " +
      "k8s.aliyun.com/ignore-by-terway=true",
  );
}

async function isServed(path: string): Promise<boolean> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), DEADLINE_MS);
  const connected = Deno.connect({ transport: "unix", path }).then((conn) => {
    conn.close();
    return true;
  }, () => false); // no socket, or one that a dead daemon left
  try {
    return await Promise.race([connected, late.promise]) === true;
  } finally {
    clearTimeout(timer);
  }
}
