/**
 * The kubelet's device plugin API, v1beta1, as gRPC knows it: what a plugin
 * serves, and what it asks the kubelet.
 *
 * Fields go by their numbers on the wire; their names here are ours. Only what
 * this plugin says or hears is there: of an answer to Allocate, which gives a
 * container nothing, no field. Source: Kubernetes,
 * `k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1/api.proto`.
 *
 * @module
 */
import type { ServiceDefinition } from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";

/** The API's version, as Register names it. */
export const API_VERSION = "v1beta1";

/** The kubelet's own socket in the folder of device plugins. */
export const KUBELET_SOCKET = "kubelet.sock";

/** Where the kubelet has that folder. */
export const PLUGIN_FOLDER = "/var/lib/kubelet/device-plugins";

/** A device, as ListAndWatch lists it. */
export interface Device {
  /** Its name, unique within the resource. */
  readonly id: string;
  /** Only healthy ones are allocatable; all count for the capacity. */
  readonly health: "Healthy" | "Unhealthy";
}

/** What a plugin wants to be asked. */
export interface PluginOptions {
  /** Whether before a container starts. */
  readonly preStartRequired: boolean;
  /** Whether which devices it would rather give. */
  readonly prefersAllocation: boolean;
}

/** What a plugin says when it registers. */
export interface RegisterRequest {
  /** {@linkcode API_VERSION}. */
  readonly version: string;
  /** The name of the plugin's socket in the folder of device plugins. */
  readonly endpoint: string;
  /** What it advertises, such as `aliyun/eni`. */
  readonly resourceName: string;
  /** What it wants to be asked. */
  readonly options: PluginOptions;
}

/** A container that is to get devices. */
export interface PreferenceRequest {
  /** From these. */
  readonly availableIds: readonly string[];
  /** These among them. */
  readonly mustIncludeIds: readonly string[];
  /** So many. */
  readonly size: number;
}

/** A question about several containers, answered in their order. */
export interface ForContainers<T> {
  /** One a container. */
  readonly requests: readonly T[];
}

const text = (id: number) => ({ type: "string", id });
const texts = (id: number) => ({ rule: "repeated", ...text(id) });
const many = (type: string) => ({
  fields: { requests: { rule: "repeated", type, id: 1 } },
});
const answers = (type: string) => ({
  fields: { responses: { rule: "repeated", type, id: 1 } },
});

const method = (requestType: string, responseType: string) => ({
  requestType,
  responseType,
  comment: "",
});

const DEFINITION = fromJSON({
  nested: {
    v1beta1: {
      nested: {
        Empty: { fields: {} },
        DevicePluginOptions: {
          fields: {
            preStartRequired: { type: "bool", id: 1 },
            prefersAllocation: { type: "bool", id: 2 },
          },
        },
        RegisterRequest: {
          fields: {
            version: text(1),
            endpoint: text(2),
            resourceName: text(3),
            options: { type: "DevicePluginOptions", id: 4 },
          },
        },
        Device: { fields: { id: text(1), health: text(2) } },
        ListAndWatchResponse: {
          fields: { devices: { rule: "repeated", type: "Device", id: 1 } },
        },
        ContainerAllocateRequest: { fields: { ids: texts(1) } },
        ContainerAllocateResponse: { fields: {} },
        AllocateRequest: many("ContainerAllocateRequest"),
        AllocateResponse: answers("ContainerAllocateResponse"),
        ContainerPreferredAllocationRequest: {
          fields: {
            availableIds: texts(1),
            mustIncludeIds: texts(2),
            size: { type: "int32", id: 3 },
          },
        },
        ContainerPreferredAllocationResponse: {
          fields: { ids: texts(1) },
        },
        PreferredAllocationRequest: many("ContainerPreferredAllocationRequest"),
        PreferredAllocationResponse: answers(
          "ContainerPreferredAllocationResponse",
        ),
        Registration: {
          methods: { Register: method("RegisterRequest", "Empty") },
        },
        DevicePlugin: {
          methods: {
            GetDevicePluginOptions: method("Empty", "DevicePluginOptions"),
            ListAndWatch: {
              ...method("Empty", "ListAndWatchResponse"),
              responseStream: true,
            },
            GetPreferredAllocation: method(
              "PreferredAllocationRequest",
              "PreferredAllocationResponse",
            ),
            Allocate: method("AllocateRequest", "AllocateResponse"),
            // Both of its messages are empty to us.
            PreStartContainer: method("Empty", "Empty"),
          },
        },
      },
    },
  },
}, { keepCase: true, defaults: true, arrays: true });

/** What a plugin serves. */
export const DEVICE_PLUGIN: ServiceDefinition = service("DevicePlugin");

/** What the kubelet serves on {@linkcode KUBELET_SOCKET}. */
export const REGISTRATION: ServiceDefinition = service("Registration");

function service(name: string): ServiceDefinition {
  return DEFINITION[`${API_VERSION}.${name}`] as ServiceDefinition;
}
