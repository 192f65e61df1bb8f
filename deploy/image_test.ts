/** The two ways to an image against each other. */
import { assert, assertStringIncludes } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { IMAGE_TAG, LIBRARIES } from "./image.ts";

/** Debian's package of each library. */
const PACKAGES: ReadonlyMap<string, string> = new Map([
  ["libnl-3.so.200", "libnl-3-200"],
  ["libnl-route-3.so.200", "libnl-route-3-200"],
  ["libnftables.so.1", "libnftables1"],
]);

async function textOf(file: string): Promise<string> {
  return await Deno.readTextFile(new URL(file, import.meta.url));
}

Deno.test("the Dockerfile has the libraries, the Deno and the name that deno task image has", async () => {
  const text = await textOf("Dockerfile");
  for (const library of LIBRARIES) {
    assertStringIncludes(text, PACKAGES.get(library) ?? library);
  }
  assertStringIncludes(text, `denoland/deno:debian-${Deno.version.deno} `);
  assertStringIncludes(text, IMAGE_TAG.replace("docker.io/", ""));
  assertStringIncludes(text, 'ENTRYPOINT ["/usr/bin/terway"]');
});

Deno.test("the chart is of this version, and its schema knows each value", async () => {
  const chart = await textOf("helm/Chart.yaml");
  for (const key of ["version", "appVersion"]) {
    assert(chart.includes(`\n${key}: ${config.version}\n`), key);
  }
  const values = await textOf("helm/values.yaml");
  const schema = JSON.parse(await textOf("helm/values.schema.json"));
  for (const [, key = ""] of values.matchAll(/^(\w+):/gm)) {
    assert(Object.hasOwn(schema.properties, key), key);
  }
});
