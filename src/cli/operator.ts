// Who types the command: the operating system's name of the user.
import { userInfo } from "node:os";

export function operator(): string {
  try {
    return `operator:${userInfo().username}`;
  } catch {
    return "operator:unknown";
  }
}
