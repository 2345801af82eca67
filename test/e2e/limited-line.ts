// A loopback line to a server that carries so many bytes towards it and then stands still: whoever talks over it stops in the
// middle of his work, at a place that does not depend on how fast the machine is.
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export class LimitedLine {
  readonly #server: Server;
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  readonly #most: number;
  readonly #stood = Promise.withResolvers<undefined>();
  /** Bytes carried towards the server. */
  carried = 0;

  private constructor(target: string, most: number) {
    this.#target = new URL(target);
    this.#most = most;
    this.#server = createServer((near) => {
      this.#carry(near);
    });
  }

  /** @param most Bytes; absent: it never stands still. */
  static async open(target: string, most = Infinity): Promise<LimitedLine> {
    const line = new LimitedLine(target, most);
    await new Promise<void>((resolve) => line.#server.listen(0, "127.0.0.1", resolve));
    return line;
  }

  /** The target's URL by way of this line. */
  get url(): string {
    const url = new URL(this.#target);
    url.hostname = "127.0.0.1";
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /** Resolves when it stands still. */
  stood(): Promise<void> {
    return this.#stood.promise;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #carry(near: Socket): void {
    const far = connect(Number(this.#target.port), this.#target.hostname);
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => this.#sockets.delete(socket));
    }
    far.pipe(near);
    near.on("end", () => far.end());
    near.on("data", (chunk: Buffer) => {
      const room = this.#most - this.carried;
      this.carried += Math.min(chunk.length, Math.max(0, room));
      if (room > 0) far.write(chunk.subarray(0, room));
      if (room <= chunk.length) this.#stood.resolve(undefined);
    });
  }
}
