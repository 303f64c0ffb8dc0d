// A static server, on a free port of this machine.

import { createServer } from "node:http";
import { readFile, stat } from "node:fs/promises";
import { extname, join, normalize, sep } from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/**
 * Serves folders and files until `close` is called.
 * @param {Record<string, string>} places a path of the URL, such as "/seedbed/", and the folder or file there. The
 *   longest path that fits counts
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function serve(places) {
  const paths = Object.keys(places).sort((a, b) => b.length - a.length);
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const path = paths.find((one) => pathname.startsWith(one));
    const rest = normalize(decodeURIComponent(pathname.slice(path?.length ?? 0)));
    if (path === undefined || rest.startsWith("..")) return response.writeHead(404).end();
    const inside = rest === "." || rest.endsWith(sep) ? join(rest, "index.html") : rest;
    try {
      const isFolder = (await stat(places[path])).isDirectory();
      const file = isFolder ? join(places[path], inside) : places[path];
      const content = await readFile(file);
      response
        .writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" })
        .end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://localhost:${server.address().port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
