import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ConfigError, decodeConfigs } from "./config.ts";
import { KEYS } from "./eni_conf_schema.ts";

/** Nothing else in a test holds it, not even a part of it. */
const SECRET = "LTAIqzx9JVW7qzXJ";

const GOOD = [
  `{"version":"1","access_key":"${SECRET}k","access_secret":"${SECRET}s",
"region_id":"cn-a","vswitches":{"a":["v"]},"eni_tags":{"k":"v"},"mtu":1500}`,
  `version: "1"
config:
  region_id: cn-a //where
  access_key: ${SECRET}k
  access_secret: '${SECRET}s'
  vswitches:
    a: [v]
  mtu: 1500
`,
];

/** Decodes, and says all that an operator could get to see of it. */
function told(texts: readonly string[]): string {
  const sources = texts.map((text, index) => ({ name: `${index}`, text }));
  try {
    const { config, warnings } = decodeConfigs(sources);
    assert(Object.isFrozen(config.vSwitches));
    return [...warnings, JSON.stringify(config), Deno.inspect(config)].join();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    assert(error.problems.length > 0);
    return error.message + JSON.stringify(error.problems) +
      Deno.inspect(error);
  }
}

function assertHushed(texts: readonly string[]): void {
  assert(!told(texts).includes(SECRET));
}

Deno.test("decodeConfigs() throws nothing but ConfigError, whatever the values", () => {
  const conf = fc.dictionary(
    fc.constantFrom(...KEYS, "config", "security-group", "__proto__", "x"),
    fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.integer(),
      fc.constantFrom(...["1", "10m", "10.0.0.0/16", {}, null]),
    ),
  );
  fc.assert(
    fc.property(fc.array(conf, { minLength: 1, maxLength: 3 }), (all) => {
      told(all.map((each) => JSON.stringify(each)));
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("decodeConfigs() throws nothing but ConfigError, whatever the text", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom(..."{}[]:,\"'#&*!|>%-?.\n\t <~a1") }),
  );
  fc.assert(fc.property(text, (each) => void told([each])), {
    numRuns: 2_000,
  });
});

Deno.test("decodeConfigs() never tells a secret, wherever it stands", () => {
  const hidden = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      fc.constant(SECRET),
      fc.array(tie("any"), { maxLength: 2 }),
      fc.dictionary(fc.constantFrom("a", SECRET), tie("any"), { maxKeys: 2 }),
    ),
  })).any;
  const secretKey = fc.constantFrom("access_key", "access_secret");
  fc.assert(
    fc.property(secretKey, hidden, fc.boolean(), (key, value, isWrapped) => {
      const conf = { [key]: value, mtu: 0 };
      const text = JSON.stringify(isWrapped ? { config: conf } : conf);
      assertHushed([text]);
      assertHushed(["{}", text]);
    }),
    { numRuns: 500 },
  );
});

Deno.test("decodeConfigs() never tells a secret of a file with slips of the pen", () => {
  const slip = fc.record({
    at: fc.nat(),
    drop: fc.nat({ max: 2 }),
    put: fc.constantFrom("", "'", '"', " ", "\n", ":", ",", "{", "}", "#", "!"),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(...GOOD),
      fc.array(slip, { minLength: 1, maxLength: 3 }),
      (good, slips) => {
        const text = slips.reduce((from, { at, drop, put }) => {
          const start = at % from.length;
          return from.slice(0, start) + put + from.slice(start + drop);
        }, good);
        // A slip inside a secret makes another text of it.
        if (text.includes(SECRET)) assertHushed([text]);
      },
    ),
    { numRuns: 5_000 },
  );
});

Deno.test("the files that slips are made in are good ones", () => {
  for (const text of GOOD) {
    const { config } = decodeConfigs([{ name: "good", text }]);
    assertEquals(config.accessKey?.secret, `${SECRET}s`);
  }
});
