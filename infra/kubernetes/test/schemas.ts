import { Ajv } from 'ajv'
import type { KubernetesObject } from './helm.ts'

interface Validated {
  validate(): void
}

/** Groups of Kubernetes itself and of KEDA, of which npm has the schemas. */
const modules: Readonly<Record<string, string>> = {
  v1: 'kubernetes-models/v1',
  'apps/v1': 'kubernetes-models/apps/v1',
  'batch/v1': 'kubernetes-models/batch/v1',
  'policy/v1': 'kubernetes-models/policy/v1',
  'autoscaling/v2': 'kubernetes-models/autoscaling/v2',
  'networking.k8s.io/v1': 'kubernetes-models/networking.k8s.io/v1',
  'keda.sh/v1alpha1': '@kubernetes-models/keda/keda.sh/v1alpha1',
}

const text = { type: 'string', minLength: 1 }
const quantity = { type: 'string', pattern: '^\\d+(Mi|Gi|Ti)$' }
const closed = (properties: object, required = Object.keys(properties)) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
})

/** What we use of the two operators' kinds, whose own schemas are not on npm. Compared with them by hand: docs/kubernetes.md. */
const operators: Readonly<Record<string, object>> = {
  'rabbitmq.com/v1beta1 RabbitmqCluster': closed({
    replicas: { type: 'integer', minimum: 1 },
    image: text,
    persistence: closed({ storage: quantity, storageClassName: text }, ['storage']),
    resources: { type: 'object' },
    rabbitmq: closed({ additionalConfig: text }),
    affinity: closed({ podAntiAffinity: { type: 'object' } }),
    override: closed({ statefulSet: closed({ spec: { type: 'object' } }) }),
  }),
  'postgresql.cnpg.io/v1 Cluster': closed({
    instances: { type: 'integer', minimum: 1 },
    imageName: text,
    storage: closed({ size: quantity, storageClass: text }, ['size']),
    resources: { type: 'object' },
    bootstrap: closed({
      initdb: closed({
        database: text,
        owner: text,
        secret: closed({ name: text }),
        postInitSQL: { type: 'array', items: text },
        dataChecksums: { type: 'boolean' },
        encoding: text,
        localeProvider: text,
        builtinLocale: text,
      }),
    }),
    postgresql: closed({
      synchronous: closed({
        method: { enum: ['any', 'first'] },
        number: { type: 'integer', minimum: 1 },
        dataDurability: { enum: ['required', 'preferred'] },
      }),
      // Strings all of them: `on` would be a boolean in YAML.
      parameters: { type: 'object', additionalProperties: { type: 'string' } },
    }),
    affinity: closed({
      enablePodAntiAffinity: { type: 'boolean' },
      topologyKey: text,
      podAntiAffinityType: { enum: ['required', 'preferred'] },
    }),
  }),
}

/** @throws if the object is not as its schema says, or there is no schema for its kind */
export async function validate(object: KubernetesObject): Promise<void> {
  const { apiVersion, kind, spec } = object
  const own = operators[`${apiVersion} ${kind}`]
  if (own !== undefined) {
    const ajv = new Ajv({ allErrors: true })
    if (!ajv.validate(own, spec)) throw new Error(`${kind}: ${ajv.errorsText()}`)
    return
  }
  const module = modules[apiVersion]
  if (module === undefined) throw new Error(`there is no schema for ${apiVersion} ${kind}`)
  const { [kind]: Model } = (await import(`${module}/${kind}`)) as Record<string, new (object: unknown) => Validated>
  if (Model === undefined) throw new Error(`${module} has no ${kind}`)
  new Model(object).validate()
}
