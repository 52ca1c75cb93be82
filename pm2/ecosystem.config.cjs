// PM2's view of Social: `social servers` as one app, and the instances, in fork mode, as another. The first starts what
// the environment does not name elsewhere (MongoDB, Redis, S3), and holds the listening socket that it hands to every
// instance: no connection is lost while one restarts.
//
//   SOCIAL_INSTANCES  how many instances: a number, or max for one per core (2)
//   SOCIAL_BIN        the `social` program (the one in .venv beside this folder)
//   SOCIAL_LOGS       folder of the log files (PM2's own)
//
// Everything else is Social's own environment, see the README.
const os = require("node:os");
const path = require("node:path");

const { SOCIAL_INSTANCES, SOCIAL_BIN, SOCIAL_LOGS, ...environment } = process.env;
const own = Object.fromEntries(Object.entries(environment).filter(([name]) => name.startsWith("SOCIAL_")));
const program = SOCIAL_BIN || path.resolve(__dirname, "..", ".venv", "bin", "social");
const asked = SOCIAL_INSTANCES || "2";
const instances = asked === "max" ? os.cpus().length : Number(asked);
if (!Number.isInteger(instances) || instances < 1) throw new Error(`SOCIAL_INSTANCES is a number or max, not ${asked}.`);

const seconds = 1000;
const grace = Number(own.SOCIAL_GRACE || 30);

const common = {
  script: program,
  interpreter: "none",
  exec_mode: "fork",
  cwd: path.resolve(__dirname, ".."),
  env: own,
  wait_ready: true, // the program says so itself, over PM2's channel: a restart waits until the new one answers
  kill_timeout: (grace + 10) * seconds, // longer than the program's own grace, or sends in flight would be cut
  treekill: false, // what a program started, it ends itself
  exp_backoff_restart_delay: 200, // never parked as errored: a database that comes up late is waited for
  merge_logs: true,
  ...(SOCIAL_LOGS && { out_file: path.join(SOCIAL_LOGS, "out.log"), error_file: path.join(SOCIAL_LOGS, "err.log") }),
};

const servers = {
  ...common,
  name: "social-servers",
  args: ["servers"],
  instances: 1,
  listen_timeout: 120 * seconds, // the first start makes a replica set
};

const social = {
  ...common,
  name: "social",
  args: ["serve", "--wait", "120"],
  instances,
  listen_timeout: 130 * seconds,
  max_memory_restart: "600M",
};

module.exports = { apps: [servers, social] };
