{{/* How every application is kept as git says: what is removed goes, what was changed by hand is put back, what fails is
     tried again. Takes a list of options more. */}}
{{- define "argocd-apps.syncPolicy" -}}
syncPolicy:
  automated:
    prune: true
    selfHeal: true
  retry:
    limit: 20
    backoff:
      duration: 10s
      factor: 2
      maxDuration: 2m
  syncOptions:
    - ServerSideApply=true
    - ApplyOutOfSyncOnly=true
    - PruneLast=true
    - RespectIgnoreDifferences=true
    {{- range . }}
    - {{ . }}
    {{- end }}
{{- end }}
