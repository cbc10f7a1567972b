import { ClosingLine } from '@clicktally/testing/closing-line.ts'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['**/test/**/*.test.ts'],
    globalSetup: '@clicktally/testing/global-setup.ts',
    reporters: ['default', new ClosingLine()],
    // Real servers on a small machine: the limits are for what hangs, not for what is slow.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 60_000,
    // What opens processes and connections of its own runs in processes of its own.
    pool: 'forks',
    // Files are loaded by Node itself, as in production, not by Vite's own loader.
    experimental: { viteModuleRunner: false },
    maxWorkers: 2,
  },
})
