import { assertEquals } from "@std/assert";
import { endpointsFrom } from "./client.ts";

function read(env: Readonly<Record<string, string>>): string {
  const { ecs, vpc, scheme } = endpointsFrom("cn-x", (name) => env[name]);
  return `${scheme} ${ecs} ${vpc}`;
}

Deno.test("endpointsFrom() takes the region's endpoints inside a VPC", () => {
  assertEquals(
    read({}),
    "HTTPS ecs-vpc.cn-x.aliyuncs.com vpc-vpc.cn-x.aliyuncs.com",
  );
});

Deno.test("endpointsFrom() takes hosts and URLs from the variables", () => {
  assertEquals(
    read({
      ECS_ENDPOINT: "127.0.0.1:81",
      VPC_ENDPOINT: "http://127.0.0.1:82/",
      ALICLOUD_CLIENT_SCHEME: "http",
    }),
    "HTTP 127.0.0.1:81 127.0.0.1:82",
  );
});

Deno.test("endpointsFrom() takes an empty variable for none", () => {
  const region = "HTTPS ecs-vpc.cn-x.aliyuncs.com vpc-vpc.cn-x.aliyuncs.com";
  assertEquals(read({ ECS_ENDPOINT: "", ALICLOUD_CLIENT_SCHEME: "" }), region);
});
