{{/* The services of packages/system/parts.ts: account, rights and port. A test compares them. */}}
{{- define "clicktally.parts" -}}
ingest: { broker: true, http: true }
processor: { broker: true, database: clicktally_processor }
auth: { broker: true, database: clicktally_auth, http: true, firstAccess: true }
api: { broker: true, database: clicktally_api, http: true }
janitor: { database: clicktally_janitor, outgoing: true }
notifier: { database: clicktally_notifier, outgoing: true }
{{- end }}

{{- define "clicktally.labels" -}}
app.kubernetes.io/name: clicktally
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "clicktally.metadata" -}}
name: {{ .root.Release.Name }}-{{ .name }}
labels:
  {{- include "clicktally.labels" . | nindent 2 }}
  app.kubernetes.io/version: {{ .root.Values.image.tag | quote }}
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "clicktally.image" -}}
{{ .root.Values.image.repository }}/{{ .name }}:{{ required "image.tag is needed: the commit of which the images are" .root.Values.image.tag }}
{{- end }}

{{- define "clicktally.brokerHosts" -}}
{{- if .Values.broker.operator }}{{ .Release.Name }}-rabbitmq:5672{{ else }}{{ join "," .Values.broker.hosts }}{{ end }}
{{- end }}

{{- define "clicktally.databaseHosts" -}}
{{- if .Values.database.operator }}{{ .Release.Name }}-database-rw:5432{{ else }}{{ join "," .Values.database.hosts }}{{ end }}
{{- end }}

{{- define "clicktally.readHost" -}}
{{- if .Values.database.operator }}{{ .Release.Name }}-database-ro:5432{{ else }}{{ .Values.database.readHost }}{{ end }}
{{- end }}

{{- define "clicktally.parameters" -}}
{{- with .Values.database.parameters }}?{{ . }}{{ end }}
{{- end }}

{{/* No program needs any privilege, or the API of Kubernetes. */}}
{{- define "clicktally.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  seccompProfile: { type: RuntimeDefault }
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "clicktally.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{/* Over zones and machines, as far as there are any. */}}
{{- define "clicktally.spread" -}}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "clicktally.labels" $ | nindent 8 }}
  {{- end }}
{{- end }}

{{- define "clicktally.settings" -}}
{{- range $name, $value := . }}
- { name: {{ $name }}, value: {{ $value | toString | quote }} }
{{- end }}
{{- end }}
