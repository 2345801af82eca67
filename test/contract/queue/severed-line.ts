// A loopback line to a server that a test can cut and mend, freeze and thaw.
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export class SeveredLine {
  readonly #target: URL;
  readonly #rewrite: (answer: Buffer) => Buffer;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  /** @param rewrite Changes what the server answers, bytes for bytes. */
  constructor(target: string, rewrite: (answer: Buffer) => Buffer = (answer) => answer) {
    this.#target = new URL(target);
    this.#rewrite = rewrite;
  }

  /** The target's URL by way of this line. */
  get url(): string {
    const url = new URL(this.#target);
    url.hostname = "127.0.0.1";
    url.port = String(this.#port);
    return url.href;
  }

  /** Opens the line, the second time at the same port. */
  async mend(): Promise<void> {
    const server = createServer((near) => {
      const far = connect(Number(this.#target.port), this.#target.hostname);
      near.on("data", (chunk) => far.write(chunk)).on("end", () => far.end());
      far.on("data", (chunk) => near.write(this.#rewrite(chunk))).on("end", () => near.end());
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on("error", () => socket.destroy());
        socket.on("close", () => this.#sockets.delete(socket));
      }
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Drops every connection and takes no new one. */
  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.#server?.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** What is connected now hears nothing more, not even that the line is dead; new connections get through. */
  freeze(): void {
    for (const socket of this.#sockets) socket.pause();
  }
}
