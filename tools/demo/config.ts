import { homedir } from 'node:os'
import { join } from 'node:path'
import { Environment } from '@clicktally/config/environment.ts'

/** `stateDir` is shared with `clicktally import`, as is the key. */
export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const config = {
    key: env.secret('CLICKTALLY_KEY'),
    stateDir: join(env.text('XDG_STATE_HOME', join(homedir(), '.local', 'state')), 'clicktally'),
  }
  env.check()
  return config
}
