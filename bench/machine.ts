// What a figure was measured on.
import { cpus, release, totalmem, loadavg } from "node:os";

export function machineFacts(): string {
  const [first] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const load = loadavg()
    .map((one) => one.toFixed(1))
    .join(" ");
  return `${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${first?.model ?? "unknown CPU"}, ${memory} GB, Linux ${release()}, Node ${process.version}; load before the run ${load}`;
}
