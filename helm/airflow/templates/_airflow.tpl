{{/* The head of each component's pod, with its volumes. Takes (dict "root" $ "component" "scheduler"), and "serviceAccount". */}}
{{- define "airflow.volumes" -}}
- name: home
  emptyDir:
    sizeLimit: 2Gi
- name: passwords
  secret:
    secretName: {{ .Values.passwordsSecret }}
    defaultMode: 0440
{{ include "ct.temporary" "1Gi" }}
{{- end }}

{{/* Where a component finds its settings. A change of any rolls the pods. */}}
{{- define "airflow.settings" -}}
envFrom:
  - configMapRef:
      name: airflow
  - secretRef:
      name: {{ .Values.secret }}
  {{- with .Values.dags.connectionSecret }}
  - secretRef:
      name: {{ . }}
  {{- end }}
{{- end }}

{{/* Waits for the migrations, and puts the passwords where the simple auth manager may open them for writing. */}}
{{- define "airflow.init" -}}
- name: wait
  image: {{ include "airflow.image" . }}
  command: [airflow, db, check-migrations, --migration-wait-timeout=600]
  {{- include "airflow.settings" . | nindent 2 }}
  {{- include "ct.containerSecurity" . | nindent 2 }}
  resources:
    {{- toYaml .Values.migration.resources | nindent 4 }}
  volumeMounts:
    - name: home
      mountPath: /opt/airflow
    - name: tmp
      mountPath: /tmp
- name: passwords
  image: {{ include "airflow.image" . }}
  # Secrets are mounted read-only, and cp would keep that.
  command: [install, --mode=600, /run/passwords/passwords.json, /opt/airflow/passwords.json]
  {{- include "ct.containerSecurity" . | nindent 2 }}
  resources:
    requests: {cpu: 10m, memory: 32Mi}
    limits: {cpu: "1", memory: 32Mi}
  volumeMounts:
    - name: home
      mountPath: /opt/airflow
    - name: passwords
      mountPath: /run/passwords
      readOnly: true
{{- end }}

{{- define "airflow.image" -}}
{{ include "ct.image" (dict "root" . "name" "airflow" "image" .Values.image) }}
{{- end }}

{{/* Where components may go. Takes the root. A list of flows as JSON. */}}
{{- define "airflow.egress" -}}
{{- $net := .Values.networkPolicy }}
{{- $flows := list (dict "app" "airflow" "peerComponent" "api-server" "port" 8080) }}
{{- if $net.databaseCidr }}
{{- $flows = append $flows (dict "cidr" $net.databaseCidr "port" 5432) }}
{{- else }}
{{- $flows = append $flows (dict "store" "databases" "port" 5432) }}
{{- end }}
{{- if .Values.metrics.enabled }}
{{- $flows = append $flows (dict "app" "airflow" "peerComponent" "statsd" "port" 9125 "protocol" "UDP") }}
{{- end }}
{{- toJson $flows }}
{{- end }}

{{/* Reading DAGs from git. A list of flows as JSON. */}}
{{- define "airflow.gitEgress" -}}
{{- $flows := list }}
{{- range .Values.networkPolicy.gitPorts }}
{{- $flows = append $flows (dict "cidr" $.Values.networkPolicy.gitCidr "port" .) }}
{{- end }}
{{- toJson $flows }}
{{- end }}

{{/* Asking the API server. A list of flows as JSON. */}}
{{- define "airflow.clusterEgress" -}}
{{- $api := .Values.networkPolicy.apiServerCidr }}
{{- list (dict "cidr" $api "port" 443) (dict "cidr" $api "port" 6443) | toJson }}
{{- end }}

{{/* Airflow's own heartbeat in its database: the component of this pod has one. Takes the type of its job. A look costs
     seconds of CPU, so it is rare; readiness only says that the process got that far. */}}
{{- define "airflow.jobProbes" -}}
startupProbe:
  exec:
    command: [airflow, jobs, check, --job-type, {{ . }}, --local]
  initialDelaySeconds: 20
  periodSeconds: 20
  timeoutSeconds: 60
  failureThreshold: 20
livenessProbe:
  exec:
    command: [airflow, jobs, check, --job-type, {{ . }}, --local]
  periodSeconds: 120
  timeoutSeconds: 90
  failureThreshold: 5
readinessProbe:
  exec:
    command: [test, -d, /opt/airflow]
  periodSeconds: 30
{{- end }}
