import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where this program and `clicktally import` keep what they need to remember. */
export function readConfig({ XDG_STATE_HOME }: NodeJS.ProcessEnv): { readonly stateDir: string } {
  return { stateDir: join(XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'clicktally') }
}
