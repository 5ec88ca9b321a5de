{{/* Labels that identify pods: these never change, because selectors are immutable.
     Takes (dict "root" $ "component" "server"). */}}
{{- define "ct.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* All labels of an object. Takes (dict "root" $ "component" "server"). */}}
{{- define "ct.labels" -}}
{{ include "ct.selector" . }}
app.kubernetes.io/part-of: continuous-training
app.kubernetes.io/version: {{ .root.Chart.AppVersion | default .root.Chart.Version | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* An image by tag and digest. What CI wrote below global.images wins over the chart's own value.
     Takes (dict "root" $ "name" "serving" "image" .Values.image). */}}
{{- define "ct.image" -}}
{{- $global := .root.Values.global | default dict }}
{{- $image := mergeOverwrite (deepCopy .image) (get ($global.images | default dict) .name | default dict) }}
{{- if eq (toString $image.tag) "latest" }}
{{- fail (printf "the image %s has the tag latest, which names no version: give a tag of its own" .name) }}
{{- end }}
{{- $ours := hasPrefix "continuous-training/" .image.repository }}
{{- if and $ours $global.requirePublished (not (hasKey ($global.images | default dict) .name)) }}
{{- fail (printf "the image %s is not in the environment's images.yaml: nothing was published yet, or argocd-apps/bump.py did not run" .name) }}
{{- end }}
{{- if and $ours $global.requireDigest (not $image.digest) }}
{{- fail (printf "the image %s has no digest in the environment's images.yaml" .name) }}
{{- end }}
{{- if not (or $image.tag $image.digest) }}
{{- fail (printf "the image %s has neither a tag nor a digest" .name) }}
{{- end }}
{{- $image.repository }}{{ with $image.tag }}:{{ . }}{{ end }}{{ with $image.digest }}@{{ . }}{{ end }}
{{- end }}

{{/* Pull secrets, where the registry asks who pulls. */}}
{{- define "ct.pullSecrets" -}}
{{- with (.Values.global | default dict).imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* A variable from an existing secret. Takes (dict "variable" "X" "secret" "name" "key" "url"). */}}
{{- define "ct.secretVariable" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}
