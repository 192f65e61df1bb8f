import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { macBytes, macText } from "./nl_addr.ts";

Deno.test("macBytes() undoes macText() for every MAC", () => {
  const six = fc.uint8Array({ minLength: 6, maxLength: 6 });
  fc.assert(fc.property(six, (bytes) => {
    assertEquals([...macBytes(macText(bytes))], [...bytes]);
  }));
});

Deno.test("macBytes() refuses what is no MAC", () => {
  const check = (text: string): void => {
    assertThrows(() => macBytes(text), SyntaxError, `"${text}"`);
  };
  check("");
  check("00:16:3e:00:00");
  check("00:16:3e:00:00:0");
  check("00:16:3e:00:00:0g");
  check("00:16:3e:00:00:g0");
  check("00:16:3E:00:00:0A");
  check("00:16:3e:00:00:01:");
  check("00-16-3e-00-00-01");
});
