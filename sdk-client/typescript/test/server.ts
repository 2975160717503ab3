// A server that answers as a test tells it, on loopback: HTTP from a function, sockets from another.

import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";

export interface Asked {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: IncomingHttpHeaders;
  body: unknown;
}

/** `"cut"` breaks the connection without an answer. */
export type Answer = { status: number; body?: unknown; headers?: Record<string, string> } | "cut";

export class FakeServer {
  /** Every request, in order. */
  readonly asked: Asked[] = [];
  /** Every socket, in order. */
  readonly sockets: FakeSocket[] = [];
  answer: (asked: Asked) => Answer | Promise<Answer> = () => problem(404, "route_not_found");
  readonly #http: Server;
  readonly #ws: WebSocketServer;

  private constructor(http: Server, ws: WebSocketServer) {
    this.#http = http;
    this.#ws = ws;
    ws.on("connection", (socket, request) => this.sockets.push(new FakeSocket(socket, request.url ?? "")));
  }

  static async start(): Promise<FakeServer> {
    const http = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const url = new URL(request.url ?? "", "http://x");
      const text = Buffer.concat(chunks).toString();
      const asked: Asked = {
        method: request.method ?? "",
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: request.headers,
        body: text === "" ? undefined : JSON.parse(text),
      };
      server.asked.push(asked);
      const answer = await server.answer(asked);
      if (answer === "cut") return void request.socket.destroy();
      response.writeHead(answer.status, { "Content-Type": "application/json", ...answer.headers });
      response.end(
        typeof answer.body === "string" || answer.body === undefined ? answer.body : JSON.stringify(answer.body),
      );
    });
    const ws = new WebSocketServer({ server: http, handleProtocols: (offered) => [...offered][0] ?? false });
    const server = new FakeServer(http, ws);
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#ws.clients) socket.terminate();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}

/** The server's end of a socket. */
export class FakeSocket {
  /** Messages from the client, in order. */
  readonly heard: unknown[] = [];
  closed = false;

  constructor(
    readonly socket: WebSocket,
    readonly url: string,
  ) {
    socket.on("message", (data) => this.heard.push(JSON.parse(String(data))));
    socket.on("close", () => (this.closed = true));
  }

  say(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }
}

/** A refusal as the server words it. */
export function problem(status: number, code: string, more: Record<string, unknown> = {}): Exclude<Answer, "cut"> {
  return { status, body: { type: `/docs/problems/${code}`, title: code, status, code, ...more } };
}

/** A session answer; its tokens carry `n`. */
export function sessionAnswer(n: number, expires_in = 600): Exclude<Answer, "cut"> {
  const user = { id: "u1", created_at: "", updated_at: "", version: 1, email: "ann@example.org", name: "Ann" };
  return {
    status: 200,
    body: {
      user,
      access_token: `access-${n}`,
      token_type: "Bearer",
      expires_in,
      refresh_token: `refresh-${n}`,
      session_id: "ses1",
    },
  };
}
