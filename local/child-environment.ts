/** What programs of any kind need to run, and where people say how they want them to speak. */
const always = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|LD_LIBRARY_PATH)$/

/** How a download gets out of this network. May hold a password, so no server or service gets it. */
export const proxySettings = [
  'http_proxy',
  'https_proxy',
  'ftp_proxy',
  'no_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
]

/**
 * The settings in .env.example that `npm start` hands on to services and migrations. Addresses and passwords are not among
 * them: the launcher sets those itself.
 */
export const serviceSettings = [
  'LOG_LEVEL',
  'CLICK_WINDOW_HOURS',
  'CONFIRM_WITHIN_MS',
  'MAX_HELD_CLICKS',
  'MAX_HELD_BYTES',
  'BATCH_MAX_CLICKS',
  'BATCH_FLUSH_AFTER_MS',
  'PREFETCH',
  'DATABASE_CONNECTIONS',
]

/**
 * The environment of a child: these variables, and of the launcher's own only what is named here. An allowlist, since nobody
 * knows what else is in it: tokens of a deployment, passwords of another system, what npm puts there for its scripts, settings
 * of other PostgreSQL and RabbitMQ installations. With config.ts the only place of this package that reads `process.env`.
 *
 * @param variables set for the child, whatever the launcher has; `undefined` takes one away.
 * @param inherited names of variables that the child gets from the launcher, where it has them.
 */
export function childEnvironment(
  variables: Record<string, string | undefined> = {},
  inherited: readonly string[] = [],
): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (always.test(name) || inherited.includes(name)) environment[name] = value
  }
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete environment[name]
    else environment[name] = value
  }
  return environment
}
