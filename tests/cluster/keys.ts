/**
 * The keys and certificates of a cluster, made anew for each by openssl, and
 * the configurations that clients of its API server have.
 *
 * @module
 */
import { join } from "node:path";
import { run } from "./command.ts";
import { API_PORT, API_SERVICE_IP } from "./description.ts";

/** Who the keys are for. */
export interface KeysWish {
  /** The folder that they go to. */
  readonly dir: string;
  /** The API server's address. */
  readonly apiIp: string;
  /** The nodes. */
  readonly nodes: readonly {
    readonly name: string;
    readonly primaryIp: string;
  }[];
}

/** A client or a server. */
interface Subject {
  /** Its files' name. */
  readonly name: string;
  /** Whom its certificate names; `O` is the group, `CN` the user. */
  readonly subject: string;
  /** Where it may be reached by TLS. */
  readonly altNames?: readonly string[];
  /** Who signs; `ca` unless told. */
  readonly signer?: string;
}

/** The clients that have a kubeconfig. */
const CLIENTS = [
  { name: "admin", subject: "/O=system:masters/CN=admin" },
  {
    name: "controller-manager",
    subject: "/CN=system:kube-controller-manager",
  },
  { name: "scheduler", subject: "/CN=system:kube-scheduler" },
  { name: "proxy", subject: "/CN=system:kube-proxy" },
] as const;

/**
 * Makes all keys, certificates and kubeconfigs.
 *
 * @param wish Who they are for.
 */
export async function makeKeys(wish: KeysWish): Promise<void> {
  const { dir, apiIp, nodes } = wish;
  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  await Promise.all([
    makeAuthority(dir, "ca"),
    makeAuthority(dir, "front-proxy-ca"),
    makeAccountKey(dir),
  ]);
  const kubelets = nodes.map(({ name, primaryIp }): Subject => ({
    name,
    subject: `/O=system:nodes/CN=system:node:${name}`,
    altNames: [`DNS:${name}`, `IP:${primaryIp}`],
  }));
  const others: Subject[] = [
    { name: "apiserver", subject: "/CN=kube-apiserver", altNames: api(apiIp) },
    {
      name: "kubelet-client",
      subject: "/O=system:masters/CN=kube-apiserver-kubelet-client",
    },
    {
      name: "front-proxy-client",
      subject: "/CN=front-proxy-client",
      signer: "front-proxy-ca",
    },
  ];
  const clients = [...CLIENTS, ...kubelets];
  await Promise.all([...clients, ...others].map((one) => certify(dir, one)));
  const server = `https://${apiIp}:${API_PORT}`;
  await Promise.all(
    clients.map(({ name }) => writeKubeconfig(dir, { name, server })),
  );
}

function api(ip: string): readonly string[] {
  const service = "kubernetes.default.svc";
  return [
    ...["kubernetes", "kubernetes.default", service, "localhost"]
      .map((name) => `DNS:${name}`),
    `DNS:${service}.cluster.local`,
    ...["127.0.0.1", ip, API_SERVICE_IP].map((one) => `IP:${one}`),
  ];
}

async function makeAuthority(dir: string, name: string): Promise<void> {
  await run([
    ...["openssl", "req", "-x509", "-newkey", "ec", "-nodes"] as const,
    ...["-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "3650"],
    ...["-keyout", join(dir, `${name}.key`), "-out", join(dir, `${name}.crt`)],
    ...["-subj", `/CN=terway-${name}`],
  ]);
}

/** What service accounts' tokens are signed with. */
async function makeAccountKey(dir: string): Promise<void> {
  const [key, pub] = [join(dir, "sa.key"), join(dir, "sa.pub")];
  await run(["openssl", "genrsa", "-out", key, "2048"]);
  await run(["openssl", "rsa", "-in", key, "-pubout", "-out", pub]);
}

async function certify(dir: string, wish: Subject): Promise<void> {
  const { name, subject, altNames = [], signer = "ca" } = wish;
  const at = (suffix: string): string => join(dir, `${name}.${suffix}`);
  await run([
    ...["openssl", "req", "-new", "-newkey", "ec", "-nodes"] as const,
    ...["-pkeyopt", "ec_paramgen_curve:prime256v1"],
    ...["-keyout", at("key"), "-out", at("csr"), "-subj", subject],
  ]);
  const extensions = ["extendedKeyUsage=clientAuth,serverAuth"];
  if (altNames.length > 0) {
    extensions.push(`subjectAltName=${altNames.join(",")}`);
  }
  await Deno.writeTextFile(at("ext"), extensions.join("\n") + "\n");
  await run([
    ...[
      "openssl",
      "x509",
      "-req",
      "-in",
      at("csr"),
      "-out",
      at("crt"),
    ] as const,
    ...["-CA", join(dir, `${signer}.crt`)],
    ...["-CAkey", join(dir, `${signer}.key`)],
    // A serial file would be shared by those that are made at the same time.
    ...["-set_serial", `0x${crypto.randomUUID().replaceAll("-", "")}`],
    ...["-days", "365", "-extfile", at("ext")],
  ]);
}

async function writeKubeconfig(
  dir: string,
  { name, server }: { name: string; server: string },
): Promise<void> {
  const data = async (file: string): Promise<string> =>
    (await Deno.readFile(join(dir, file))).toBase64();
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{
      name: "terway",
      cluster: { server, "certificate-authority-data": await data("ca.crt") },
    }],
    users: [{
      name,
      user: {
        "client-certificate-data": await data(`${name}.crt`),
        "client-key-data": await data(`${name}.key`),
      },
    }],
    contexts: [{ name: "terway", context: { cluster: "terway", user: name } }],
    "current-context": "terway",
  };
  const text = JSON.stringify(config, null, 2) + "\n";
  await Deno.writeTextFile(join(dir, `${name}.conf`), text, { mode: 0o600 });
}
