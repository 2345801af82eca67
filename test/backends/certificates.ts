// Certificates for servers and clients on loopback, made by the openssl program: a private authority and what it signed.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BackendMissing } from "./backend.ts";
import { runCommand, works } from "./command.ts";

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  readonly ca: Certificate;
  /** For 127.0.0.1. */
  readonly server: Certificate;
  readonly client: Certificate;
}

/** Into a directory that the caller removes. Rejects with BackendMissing when there is no openssl. */
export async function makeCertificates(dir: string): Promise<Certificates> {
  if (!(await works("openssl", "version"))) {
    throw new BackendMissing("certificates: there is no openssl program. Add it by: apt-get install -y openssl");
  }
  const extensions = join(dir, "extensions");
  await writeFile(extensions, "subjectAltName=IP:127.0.0.1\n");
  const ca = filesOf(dir, "ca");
  await openssl("req", "-x509", ...newKey(ca), "-days", "2", "-subj", "/CN=Sluice test authority", "-out", ca.certFile);
  const signed = async (name: string): Promise<Certificate> => {
    const files = filesOf(dir, name);
    const request = join(dir, `${name}.csr`);
    await openssl("req", ...newKey(files), "-subj", `/CN=${name}`, "-out", request);
    const by = ["-CA", ca.certFile, "-CAkey", ca.keyFile, "-CAcreateserial", "-days", "2", "-extfile", extensions];
    await openssl("x509", "-req", "-in", request, ...by, "-out", files.certFile);
    return read(files);
  };
  return { ca: await read(ca), server: await signed("server"), client: await signed("client") };
}

type Files = Pick<Certificate, "certFile" | "keyFile">;

function filesOf(dir: string, name: string): Files {
  return { certFile: join(dir, `${name}.crt`), keyFile: join(dir, `${name}.key`) };
}

function newKey({ keyFile }: Files): readonly string[] {
  return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyFile];
}

async function read(files: Files): Promise<Certificate> {
  return { ...files, cert: await readFile(files.certFile, "utf8"), key: await readFile(files.keyFile, "utf8") };
}

async function openssl(...args: readonly string[]): Promise<void> {
  const { code, output } = await runCommand("openssl", args);
  if (code !== 0) throw new Error(`openssl ${args[0] ?? ""} failed: ${output}`);
}
