import { ClosingLine } from '@clicktally/testing/closing-line.ts'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['**/test/**/*.test.ts'],
    globalSetup: '@clicktally/testing/global-setup.ts',
    reporters: ['default', new ClosingLine()],
    // Real servers on a small machine that may be busy with other things: the limits are for what hangs, not for what is slow.
    // Longer than any wait within a test, which then says what it waited for.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 120_000,
    expect: { poll: { timeout: 120_000, interval: 20 } },
    // What opens processes and connections of its own runs in processes of its own.
    pool: 'forks',
    // Files are loaded by Node itself, as in production, not by Vite's own loader.
    experimental: { viteModuleRunner: false },
    maxWorkers: 2,
  },
})
