interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [number, string]
}

/** Reads Prometheus and Alertmanager over their HTTP APIs. */
export class PrometheusClient {
  readonly #prometheusUrl: string
  readonly #alertmanagerUrl: string

  constructor(urls: { readonly prometheusUrl: string; readonly alertmanagerUrl: string }) {
    this.#prometheusUrl = urls.prometheusUrl
    this.#alertmanagerUrl = urls.alertmanagerUrl
  }

  /** @throws with Prometheus's message, if the query is wrong */
  async query(expression: string): Promise<Sample[]> {
    const response = await fetch(`${this.#prometheusUrl}/api/v1/query?${new URLSearchParams({ query: expression })}`)
    const body = (await response.json()) as { status: string; error?: string; data: { result: Sample[] } }
    if (body.status !== 'success') throw new Error(`${expression}: ${body.error}`)
    return body.data.result
  }

  /** The names of the alerts that Alertmanager has, inhibited or not. */
  async alerts(): Promise<string[]> {
    const response = await fetch(`${this.#alertmanagerUrl}/api/v2/alerts`)
    const alerts = (await response.json()) as { labels: { alertname: string } }[]
    return alerts.map(({ labels }) => labels.alertname)
  }
}
