/** What any program needs to run, with the user's language and time zone. */
const always = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|LD_LIBRARY_PATH)$/

/** Proxies for downloads. They may hold a password, so servers and services do not get them. */
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
 * The environment of a child process: the given variables, and an allowlist of the launcher's own. The launcher's environment
 * may hold anything: tokens of a deployment, passwords of another system, npm's variables for scripts, settings of other
 * PostgreSQL and RabbitMQ installations. Besides config.ts this is the only place of this package that reads `process.env`.
 *
 * @param variables set for the child; they replace the launcher's. `undefined` removes one.
 * @param inherited names of variables that the child gets from the launcher, if set there.
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
