import type { Environment } from './environment.ts'

/** Reads where webhooks may lead to: `any` allows http, and addresses that are not public. Of services/auth and services/notifier. */
export function webhookAddresses(env: Environment): 'public' | 'any' {
  return env.choice('CLICKTALLY_WEBHOOK_ADDRESSES', 'public', ['public', 'any'])
}
