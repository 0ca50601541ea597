import type { SecureClientSessionOptions } from "node:http2";

import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

import { bearer } from "./authorization.js";
import { type ClientOptions, MeshflowClient } from "./client.js";

/** How Node reaches a server. */
export interface NodeOptions extends ClientOptions {
  /** Sent as `authorization: Bearer`. */
  token?: string;
  /** PEM texts: ca to trust, and cert and key for mutual TLS. With it the connection is one of TLS, whatever the address says. */
  tls?: Pick<SecureClientSessionOptions, "ca" | "cert" | "key">;
  /** Pings a connection with calls in flight after so many milliseconds without traffic. Default: 30000. */
  keepaliveMs?: number;
}

/** A client that owns its connection. */
export class NodeClient extends MeshflowClient {
  readonly #sessions: Http2SessionManager;

  constructor(address: string, options: NodeOptions = {}) {
    const { token, tls, keepaliveMs = 30_000, ...rest } = options;
    const named = address.includes("://") ? address : `http://${address}`;
    const baseUrl = tls ? named.replace(/^http:/i, "https:") : named;
    const sessions = new Http2SessionManager(baseUrl, { pingIntervalMs: keepaliveMs, pingTimeoutMs: 10_000 }, tls);
    super(createGrpcTransport({ baseUrl, sessionManager: sessions, interceptors: bearer(token) }), rest);
    this.#sessions = sessions;
  }

  /** Closes the connection; calls in flight fail. */
  close(): void {
    this.#sessions.abort();
  }
}

/** Connects over native gRPC to host:port, http://host:port or https://host. */
export function connectNode(address = "http://127.0.0.1:8765", options: NodeOptions = {}): NodeClient {
  return new NodeClient(address, options);
}

export * from "./index.js";
