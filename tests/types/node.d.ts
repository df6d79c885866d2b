// What the programs use of Node. Its types are a package of 2 MB.

declare const process: { env: Record<string, string> };
