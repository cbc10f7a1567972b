import { patience } from '@clicktally/testing/patience.ts'
import { SummaryReporter } from '@clicktally/testing/run-summary.ts'
import { SlowestFirst } from '@clicktally/testing/slowest-first.ts'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['**/test/**/*.test.ts'],
    // They have dependencies of their own: npm run aws -- check, npm run kubernetes -- check
    exclude: ['**/node_modules/**', 'infra/{aws,kubernetes}/**'],
    globalSetup: '@clicktally/testing/global-setup.ts',
    reporters: ['default', ...(process.env.TEST_SUMMARY ? [new SummaryReporter(process.env.TEST_SUMMARY)] : [])],
    // To stop tests that hang, on small and busy machines too. Longer than any wait within a test, which says what it waited for.
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
    teardownTimeout: 120_000,
    expect: { poll: patience },
    // Tests that open processes and connections run in processes of their own.
    pool: 'forks',
    // Node loads the files, as in production, not Vite; without hooks, because no module is mocked.
    experimental: { viteModuleRunner: false, nodeLoader: false },
    // More than the two cores of a small machine: most tests wait for a broker, a database or a timeout.
    maxWorkers: 4,
    sequence: { sequencer: SlowestFirst },
  },
})
