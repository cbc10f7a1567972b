import { collectDefaultMetrics, Registry } from 'prom-client'

/** Creates a registry with the process metrics (CPU, memory, event loop lag), labelled with the service. */
export function createRegistry(service: string): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry })
  return registry
}
