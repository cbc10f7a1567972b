import { type Answer, describeAnswer, jsonObject } from '@clicktally/requests/answer.ts'
import { CliError } from '../cli-error.ts'

const whichKey =
  "Commands use the key in CLICKTALLY_KEY, else the operator's key of the system that runs in this folder."

/** What the user can do, by the code of the problem, where its detail does not say it. */
const advice: Record<string, string> = {
  key_missing: whichKey,
  key_malformed: whichKey,
  key_unknown: whichKey,
  right_missing: `${whichKey} Changes need the key of an owner.`,
  project_unknown: '"clicktally projects list" shows the projects.',
  key_not_found: '"clicktally keys list --all" shows the keys.',
  user_not_found: '"clicktally users list" shows the users.',
  link_not_found: '"clicktally links list" shows the links.',
  webhook_not_found: '"clicktally webhooks list" shows the webhooks.',
  threshold_not_found: '"clicktally thresholds list" shows the thresholds.',
  event_not_found: '"clicktally webhooks deliveries" shows the events of the last 30 days.',
  webhook_disabled: '"clicktally webhooks enable" does.',
  origins_required: 'Use --origin, several times for several origins.',
  email_exists: '"clicktally users password-link" creates a new link for this user.',
  host_not_served: 'Add this name to CLICKTALLY_HOSTS and restart nginx, or use another address.',
}

/** The error for a request that was refused or not answered. */
export function refusal(method: string, url: URL, answer: Answer): CliError {
  if (answer.status === 0) {
    const mayBeDone = method !== 'GET' && !/refused|not found|unreachable/.test(answer.outcome)
    return new CliError(
      `${url.origin} cannot be reached: ${answer.outcome}. Is Clicktally running there?` +
        (mayBeDone ? ' The change may have been made: look before you repeat it.' : ''),
    )
  }
  const { code, detail } = jsonObject(answer) ?? {}
  if (answer.status < 400 || typeof code !== 'string' || typeof detail !== 'string') {
    return new CliError(
      `${url.origin} does not answer as Clicktally: ${method} ${url.pathname}: ${describeAnswer(answer)}`,
    )
  }
  // 422: an argument is invalid.
  return new CliError([detail, advice[code]].filter(Boolean).join(' '), answer.status === 422 ? 2 : 1)
}
