/**
 * Variables that would change what a child does without anyone meaning it: what npm puts there for its scripts, other
 * PostgreSQL and RabbitMQ installations' settings, and secrets that belong to another system.
 */
const notInherited = /^(npm_|INIT_CWD$|PG[A-Z]|RABBITMQ_|ERL_|NOTIFY_SOCKET$|NGINX|.*_PASSWORD(_FILE)?$)/

/**
 * The launcher's environment as its children get it, with these variables set; `undefined` takes one away. The only
 * place of this package that reads `process.env`.
 */
export function childEnvironment(variables: Record<string, string | undefined> = {}): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {}
  for (const [name, value] of Object.entries({ ...process.env, ...variables })) {
    if (value === undefined) continue
    if (name in variables || !notInherited.test(name)) environment[name] = value
  }
  return environment
}
