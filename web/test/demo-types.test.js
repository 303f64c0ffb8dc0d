// The types in the comments of the demo page.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

test("the demo page has no type errors", () => {
  // The page imports ./seedbed/, which exists only where the page is put together.
  const folder = mkdtempSync(join(tmpdir(), "seedbed-demo-"));
  try {
    cpSync(at("../demo"), folder, { recursive: true });
    cpSync(at("../dist"), join(folder, "seedbed"), { recursive: true });
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          allowJs: true,
          checkJs: true,
          noEmit: true,
          strict: true,
          skipLibCheck: true,
          target: "ES2023",
          module: "ES2022",
          moduleResolution: "bundler",
          lib: ["ES2023", "DOM", "DOM.Iterable"],
          types: [at("../node_modules/@webgpu/types")],
        },
        include: ["*.js"],
      }),
    );
    const tsc = spawnSync(process.execPath, [at("../node_modules/typescript/bin/tsc"), "--project", folder], {
      encoding: "utf8",
    });
    assert.equal(tsc.status, 0, tsc.stdout + tsc.stderr);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
