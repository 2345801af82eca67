// After an install under an older Node: makes sure node_modules/.bin/node is the project's own Node 24, so that npm scripts
// and npx run under it. npm 10 drops that link when it removes the platform packages that do not fit this machine.
const fs = require("node:fs");
const path = require("node:path");
const { projectNode, link } = require("./project-node.cjs");

const binary = projectNode();
if (binary && !fs.existsSync(link)) {
  fs.mkdirSync(path.dirname(link), { recursive: true });
  if (process.platform === "win32") fs.copyFileSync(binary, link);
  else fs.symlinkSync(path.relative(path.dirname(link), binary), link);
}
