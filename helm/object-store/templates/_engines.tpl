{{/* What the engines differ in, as YAML: image, arguments, variables, health path. All listen on 9000. */}}
{{- define "object-store.engine" -}}
{{- $secret := .Values.secret }}
{{- if eq .Values.engine "minio" }}
args: [server, /data, "--address=:9000"]
variables: {MINIO_ROOT_USER: access_key, MINIO_ROOT_PASSWORD: secret_key}
health: /minio/health/ready
alive: /minio/health/live
{{- else if eq .Values.engine "versitygw" }}
args: [--port, ":9000", --health, /health, posix, /data]
variables: {ROOT_ACCESS_KEY: access_key, ROOT_SECRET_KEY: secret_key}
health: /health
alive: /health
{{- else if eq .Values.engine "seaweedfs" }}
args: [server, -dir=/data, -s3, -s3.port=9000, -ip.bind=0.0.0.0, -volume.max=0, -master.volumeSizeLimitMB=1024]
variables: {AWS_ACCESS_KEY_ID: access_key, AWS_SECRET_ACCESS_KEY: secret_key}
health: /healthz
alive: /healthz
{{- end }}
{{- end }}

{{/* Where S3 is; empty for Amazon's own. */}}
{{- define "object-store.endpoint" -}}
{{- if eq .Values.engine "external" }}{{ .Values.external.endpoint }}{{ else }}http://object-store.{{ .Release.Namespace }}:9000{{ end }}
{{- end }}

{{/* The pod of the bucket's job and of its schedule. */}}
{{- define "object-store.bucketPod" -}}
{{- include "ct.pod" (dict "root" .) }}
restartPolicy: Never
containers:
  - name: bucket
    image: {{ include "ct.image" (dict "root" . "name" "mlflow" "image" .Values.bucket.image) }}
    command: [python, /bucket/bucket.py, {{ .Values.bucket.name | quote }}]
    args:
      - --abort-uploads-after-days={{ .Values.bucket.abortUploadsAfterDays }}
      {{- if .Values.bucket.versioning }}
      - --versioning
      {{- end }}
    env:
      {{- with include "object-store.endpoint" . }}
      - name: AWS_ENDPOINT_URL_S3
        value: {{ . }}
      {{- end }}
      - name: AWS_DEFAULT_REGION
        value: {{ .Values.external.region }}
      {{- include "ct.secretVariable" (dict "variable" "AWS_ACCESS_KEY_ID" "secret" .Values.secret "key" "access_key") | nindent 6 }}
      {{- include "ct.secretVariable" (dict "variable" "AWS_SECRET_ACCESS_KEY" "secret" .Values.secret "key" "secret_key") | nindent 6 }}
    {{- include "ct.containerSecurity" . | nindent 4 }}
    resources:
      {{- toYaml .Values.bucket.resources | nindent 6 }}
    volumeMounts:
      - name: bucket
        mountPath: /bucket
        readOnly: true
      - name: tmp
        mountPath: /tmp
volumes:
  - name: bucket
    configMap:
      name: object-store-bucket
  {{- include "ct.temporary" "16Mi" | nindent 2 }}
{{- end }}
