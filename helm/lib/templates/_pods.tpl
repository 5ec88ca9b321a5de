{{/* The head of every pod: no token, no service links, a user that is not root.
     Takes (dict "root" $ "component" "server" "user" 10001), and "serviceAccount" where the pod may ask the API server. */}}
{{- define "ct.pod" -}}
{{- include "ct.pullSecrets" .root }}
serviceAccountName: {{ .serviceAccount | default "default" }}
automountServiceAccountToken: {{ if .serviceAccount }}true{{ else }}false{{ end }}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user | default 10001 }}
  runAsGroup: {{ .user | default 10001 }}
  fsGroup: {{ .user | default 10001 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{/* Spread the replicas of a component over nodes, where there are several. */}}
{{- define "ct.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "ct.selector" . | nindent 8 }}
{{- end }}

{{/* What every container may not do. */}}
{{- define "ct.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* The only place that an image writes to by itself. Takes the size limit. */}}
{{- define "ct.temporary" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ . }}
{{- end }}

{{/* Annotations of a job that runs at every synchronisation, after the waves before it. Argo CD leaves Helm's hooks alone
     where an object has one of its own, so the same job works with `helm upgrade`, too. Takes the wave. */}}
{{- define "ct.hook" -}}
argocd.argoproj.io/hook: Sync
argocd.argoproj.io/hook-delete-policy: BeforeHookCreation
argocd.argoproj.io/sync-wave: {{ . | quote }}
helm.sh/hook: post-install,post-upgrade
helm.sh/hook-delete-policy: before-hook-creation
helm.sh/hook-weight: {{ . | quote }}
{{- end }}

{{/* Objects whose loss cannot be undone: somebody has to confirm that they may go. */}}
{{- define "ct.keep" -}}
argocd.argoproj.io/sync-options: Prune=confirm,Delete=confirm
{{- end }}
