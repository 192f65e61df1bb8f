import { assert, assertMatch } from "@std/assert";
import { playBadDay } from "./bad_day.ts";

Deno.test("a bad day can be followed in the log and terway status alone", async () => {
  const day = await playBadDay();
  const chapter = (title: string): { log: string; status: string } => {
    const found = day.find((one) => one.title.startsWith(title));
    assert(found, title);
    return { log: found.log.join("\n"), status: found.status };
  };

  const empty = chapter("others fill the vSwitch");
  // What failed, where, what the pool does about it, who waits, and for what.
  assertMatch(
    empty.log,
    /"level":"warning","msg":"a cloud call failed".*"code":"InvalidVSwitchId.IpNotEnough".*"requestId":"\S+".*"httpStatus":403.*"vswitch":"vsw-.*"next_step":"the next vSwitch/,
  );
  assertMatch(empty.log, /"a vSwitch runs dry: others come first"/);
  assertMatch(empty.log, /"ADD failed".*shop\/web-b.*no vSwitch has addresses/);
  assertMatch(empty.status, /^vswitch {4}vsw-\S+ rests for \d+ s/m);

  const refilled = chapter("the vSwitch has addresses again");
  assertMatch(refilled.log, /"an ENI got addresses"/);
  assertMatch(refilled.log, /"attached","owner":"shop\/web-b"/);

  const throttled = chapter("the account is throttled");
  assertMatch(
    throttled.log,
    /"code":"Throttling.User".*"next_step":"rests for/,
  );
  assertMatch(throttled.status, /^held {7}assign for \d+ s: .*Throttling/m);

  const away = chapter("the cloud is away");
  assertMatch(away.log, /"attached","owner":"shop\/web-e"/);
  assertMatch(away.log, /"code":"ServiceUnavailable".*"next_step":"again in/);
  assertMatch(away.log, /"ADD failed".*shop\/web-f.*ServiceUnavailable/);
  assertMatch(away.status, /^held .*ServiceUnavailable/m);

  const back = chapter("the cloud is back");
  assertMatch(back.log, /"an ENI got addresses"/);
  assertMatch(back.log, /"attached","owner":"shop\/web-f"/);
  assert(!/^(held|waiting|vswitch)/m.test(back.status), back.status);

  for (const line of day.flatMap(({ log }) => log)) {
    const { time, next } = JSON.parse(line) as { time: string; next?: string };
    assert(next === undefined || next > time, `told too late: ${line}`);
  }
});
