// Checks OpenAPI documents against Redocly's recommended rules: node lint.mjs FILE...
// Redocly's command does the same, but it is five times as large, and a part of it sends telemetry.

import { createConfig, formatProblems, getTotals, lint } from "@redocly/openapi-core";

const config = await createConfig({ extends: ["recommended"] });
for (const file of process.argv.slice(2)) {
  const problems = await lint({ ref: file, config });
  if (problems.length > 0) {
    formatProblems(problems, { totals: getTotals(problems), version: "1" });
    process.exitCode = 1;
  }
}
