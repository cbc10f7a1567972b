import { createAuth, firstKeys } from '@clicktally/auth/test/auth-under-test.ts'
import { type Ended, runCli } from './cli-under-test.ts'

/** The command line with the key of an owner, and the service auth over a database of the test's own. */
export async function createOwnerCli() {
  const auth = await createAuth()
  const baseUrl = await auth.app.listen({ host: '127.0.0.1', port: 0 })
  const run = (...args: string[]): Promise<Ended> =>
    runCli(args, { CLICKTALLY_URL: baseUrl, CLICKTALLY_KEY: firstKeys.owner.text })
  return {
    ...auth,
    baseUrl,
    run,
    /** Runs a command that must succeed; the objects that it prints with --json. */
    // biome-ignore lint/suspicious/noExplicitAny: an object is what the test says it is
    async json(...args: string[]): Promise<any[]> {
      const { code, stdout, stderr } = await run(...args, '--json')
      if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`)
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line))
    },
  }
}
