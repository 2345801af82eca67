// A server for tests in a container of its own, which can be killed and started again on the same data and port.
import { BackendMissing, eventually, type PrivateBackend } from "./backend.ts";
import { runCommand } from "./command.ts";
import { freePort } from "./port.ts";

export interface Container {
  /** For people. */
  readonly name: string;
  readonly image: string;
  /** Port inside. */
  readonly port: number;
  readonly command?: readonly string[];
  url(port: number): string;
  /** Rejects while the server does not answer yet. */
  versionOf(url: string): Promise<string>;
}

/** Rejects with BackendMissing. */
export async function startContainer({ name, image, ...of }: Container): Promise<PrivateBackend> {
  const port = await freePort();
  const publish = `127.0.0.1:${port}:${of.port}`;
  const started = await runCommand("docker", ["run", "-d", "-p", publish, image, ...(of.command ?? [])]);
  if (started.code !== 0) throw new BackendMissing(`${name}: docker run ${image} failed. Try: docker pull ${image}`);
  const id = started.output.trim().split("\n").at(-1) ?? "";
  const url = of.url(port);
  const docker = async (...args: string[]): Promise<void> => {
    await runCommand("docker", args);
  };
  const close = (): Promise<void> => docker("rm", "-f", "-v", id);
  try {
    const version = await eventually(() => of.versionOf(url));
    return {
      url,
      description: `${name} ${version} (container ${image}, port ${port})`,
      kill: () => docker("kill", id),
      restart: async () => {
        await docker("start", id);
        await eventually(() => of.versionOf(url));
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
