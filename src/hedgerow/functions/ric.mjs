// Our own Runtime API client for Node, for hosts on which AWS's aws-lambda-ric is not there. Started by its path.
//
// Imports nothing but Node's own modules. Argument: the handler, `index.handler` or `folder/index.group.handler`.
// What it sends is what aws-lambda-ric sends: errors have a `trace`, a result of undefined is null.

import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";
import util from "node:util";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let requestId = "";
let unanswered = null; // what to do when the event loop runs empty before the handler has answered

function call(method, part, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
    const options = { host, port, method, agent, path: `/2018-06-01/runtime/${part}`, headers: { ...headers, ...length } };
    const request = http.request(options, (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode !== 200 && response.statusCode !== 202) {
          reject(new Error(`the Runtime API answered ${response.statusCode} to ${part}`));
        } else {
          resolve({ headers: response.headers, body: Buffer.concat(pieces) });
        }
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

class Fault extends Error {
  constructor(kind, message) {
    super(message);
    this.name = kind;
  }
}

function described(error) {
  if (!util.types.isNativeError(error) && !(error instanceof Error)) {
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  }
  const kind = error instanceof Fault ? error.name : error.name || error.constructor.name;
  return { errorType: kind, errorMessage: error.message, trace: (error.stack || "").split("\n") };
}

function fail(part, error) {
  const body = described(error);
  const shown = part === "init/error" ? "Uncaught Exception" : "Invoke Error";
  console.error(`${shown}\t${JSON.stringify({ ...body, stack: body.trace })}`);
  const headers = { "Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": body.errorType };
  return call("POST", part, JSON.stringify(body), headers);
}

async function load(handler) {
  const folder = path.dirname(handler);
  const [module, ...names] = path.basename(handler).split(".");
  if (!module || names.length === 0 || names.includes("")) {
    throw new Fault("Runtime.MalformedHandlerName", "Bad handler: no module or no function is named");
  }
  const base = path.resolve(process.cwd(), folder, module);
  const file = ["", ".js", ".mjs", ".cjs"].map((end) => base + end).find((each) => fs.statSync(each, { throwIfNoEntry: false })?.isFile());
  if (file === undefined) {
    throw new Fault("Runtime.ImportModuleError", `Error: Cannot find module '${path.join(folder, module)}'`);
  }
  let found;
  try {
    found = await import(pathToFileURL(file));
  } catch (error) {
    if (error instanceof SyntaxError) throw new Fault("Runtime.UserCodeSyntaxError", `SyntaxError: ${error.message}`);
    if (error?.code === "MODULE_NOT_FOUND" || error?.code === "ERR_MODULE_NOT_FOUND") {
      throw new Fault("Runtime.ImportModuleError", `Error: ${error.message}`);
    }
    throw error;
  }
  const walk = (from) => names.reduce((value, name) => value?.[name], from);
  const wanted = walk(found) ?? walk(found.default);
  if (typeof wanted !== "function") {
    throw new Fault("Runtime.HandlerNotFound", `${handler} is undefined or not exported`);
  }
  return wanted;
}

function contextOf(headers, settle) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const client = headers["lambda-runtime-client-context"];
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    clientContext: client ? JSON.parse(client) : undefined,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    getRemainingTimeInMillis: () => deadline - Date.now(),
    done: (error, result) => settle(error, result),
    succeed: (result) => settle(null, result),
    fail: (error) => settle(error ?? new Error("context.fail")),
  };
  return context;
}

function run(handler, event, headers) {
  return new Promise((resolve, reject) => {
    const settle = (error, result) => (error === null || error === undefined ? resolve(result) : reject(error));
    const returned = handler(event, contextOf(headers, settle), settle);
    if (typeof returned?.then === "function") {
      unanswered = () => reject(new Fault("Runtime.NodeJsExit", "The Lambda function returned without an answer"));
      returned.then(resolve, reject);
    } else {
      unanswered = () => resolve(null);
    }
  }).finally(() => {
    unanswered = null;
  });
}

async function serveOne(handler) {
  const { headers, body } = await call("GET", "invocation/next");
  requestId = headers["lambda-runtime-aws-request-id"];
  let text;
  try {
    const result = await run(handler, JSON.parse(body.toString()), headers);
    text = JSON.stringify(result === undefined ? null : result);
    if (text === undefined) throw new Fault("Runtime.MarshalError", "Unable to stringify response body");
  } catch (error) {
    await fail(`invocation/${requestId}/error`, error);
    return;
  }
  await call("POST", `invocation/${requestId}/response`, text, { "Content-Type": "application/json" });
}

for (const [name, level] of [["log", "INFO"], ["info", "INFO"], ["debug", "DEBUG"], ["warn", "WARN"], ["error", "ERROR"]]) {
  console[name] = (...parts) => {
    const message = util.format(...parts).replaceAll("\n", "\r");
    fs.writeSync(1, `${new Date().toISOString()}\t${requestId}\t${level}\t${message}\n`);
  };
}

async function leave(error, status) {
  try {
    await fail(requestId ? `invocation/${requestId}/error` : "init/error", error);
  } finally {
    process.exit(status);
  }
}

process.on("uncaughtException", (error) => leave(error, 129));
process.on("unhandledRejection", (reason) => leave(new Fault("Runtime.UnhandledPromiseRejection", String(reason)), 128));
process.on("beforeExit", () => unanswered?.());

let handler;
try {
  handler = await load(process.argv[2] ?? "");
} catch (error) {
  await fail("init/error", error);
  process.exit(1);
}
for (;;) await serveOne(handler);
