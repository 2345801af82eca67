// A MongoDB for tests: the one that MONGODB_URI names, else a container of the official image, else on Debian a private
// server that speaks MongoDB's protocol (`mongo-server/`). Several may run side by side; on one, tests are kept apart by
// the names of their databases.
import { mongo } from "mongoose";
import { BackendMissing, eventually, type PrivateBackend, type RunningBackend } from "./backend.ts";
import { works } from "./command.ts";
import { startContainer } from "./container.ts";
import { builtServer, startBuilt } from "./mongo-built.ts";
import { freePort } from "./port.ts";

const image = "mongo:8";

/** Rejects with BackendMissing. */
export async function startMongo(): Promise<RunningBackend> {
  const given = process.env["MONGODB_URI"];
  return given ? givenMongo(given) : startPrivateMongo();
}

/** One that tests may kill, whatever MONGODB_URI says. Rejects with BackendMissing. */
export async function startPrivateMongo(): Promise<PrivateBackend> {
  if (await works("docker", "info")) return containerMongo();
  const folder = await builtServer();
  if (folder !== undefined) return machineMongo(folder);
  throw new BackendMissing(
    "MongoDB: MONGODB_URI is not set and no Docker engine answers. On Debian a server for tests (142 MB of packages, " +
      "unpacked into a folder of its own) is added by: npm test -- --install",
  );
}

async function givenMongo(url: string): Promise<RunningBackend> {
  const version = await versionOf(url).catch(() => {
    throw new BackendMissing(
      "MongoDB: the server that MONGODB_URI names does not answer. Correct or unset MONGODB_URI",
    );
  });
  return { url, description: `MongoDB ${version} (given by MONGODB_URI)`, close: () => Promise.resolve() };
}

function containerMongo(): Promise<PrivateBackend> {
  const url = (port: number): string => `mongodb://127.0.0.1:${port}/`;
  return startContainer({ name: "MongoDB", image, port: 27017, url, versionOf });
}

async function machineMongo(folder: string): Promise<PrivateBackend> {
  const port = await freePort();
  const url = `mongodb://127.0.0.1:${port}/`;
  const server = await startBuilt(folder, port);
  try {
    const version = await eventually(() => versionOf(url));
    return {
      url,
      description: `MongoDB's protocol ${version} (FerretDB on PostgreSQL of this project, private, port ${port})`,
      kill: () => server.kill(),
      restart: async () => {
        await server.start();
        await eventually(() => versionOf(url));
      },
      close: () => server.close(),
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}

async function versionOf(url: string): Promise<string> {
  const client = new mongo.MongoClient(url, { serverSelectionTimeoutMS: 2000 });
  try {
    const { version } = await client.db("admin").command({ buildInfo: 1 });
    return typeof version === "string" ? version : "of unknown version";
  } finally {
    await client.close();
  }
}
