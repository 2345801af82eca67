// Finds ports for the servers that tests start.
import { createServer, type AddressInfo } from "node:net";

/** Free at this moment; another process could take it first, in which case the server fails to start and says so. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
