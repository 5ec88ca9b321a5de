{{/* The network policy of one component: what may come in, what may go out, nothing else. Names are always resolved.
     Takes (dict "root" $ "component" "server" "ingress" LIST "egress" LIST); a flow is one of
       dict "app" "mlflow" "port" 5000                       pods of a chart, in the same namespace
       dict "app" "airflow" "peerComponent" "scheduler" "port" 1
       dict "store" "databases" "port" 5432                  pods that keep data, whoever made them: an operator's, too
       dict "namespace" "monitoring" "port" 5000             every pod of a namespace
       dict "cidr" "0.0.0.0/0" "except" LIST "port" 443      an address range
     and may have "protocol" UDP. With "store" in place of its own labels the policy is for the pods of that name. */}}
{{- define "ct.networkPolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .root.Chart.Name }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "ct.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- if .store }}
      {{- include "ct.store" .store | nindent 6 }}
      {{- else }}
      {{- include "ct.selector" . | nindent 6 }}
      {{- end }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- range .ingress }}
    - from:
        - {{ include "ct.peer" . | indent 10 | trim }}
      ports:
        - port: {{ .port }}
          protocol: {{ .protocol | default "TCP" }}
    {{- else }} []
    {{- end }}
  egress:
    {{- include "ct.dns" . | nindent 4 }}
    {{- range .egress }}
    - to:
        - {{ include "ct.peer" . | indent 10 | trim }}
      ports:
        - port: {{ .port }}
          protocol: {{ .protocol | default "TCP" }}
    {{- end }}
{{- end }}

{{/* The other end of a flow. */}}
{{- define "ct.peer" -}}
{{- if .cidr }}
ipBlock:
  cidr: {{ .cidr }}
  {{- with .except }}
  except:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- else if .namespace }}
namespaceSelector:
  matchLabels:
    kubernetes.io/metadata.name: {{ .namespace }}
{{- else if .store }}
podSelector:
  matchLabels:
    {{- include "ct.store" .store | nindent 4 }}
{{- else }}
podSelector:
  matchLabels:
    app.kubernetes.io/name: {{ .app }}
    {{- with .peerComponent }}
    app.kubernetes.io/component: {{ . }}
    {{- end }}
{{- end }}
{{- end }}

{{/* Everybody asks the cluster's DNS. */}}
{{- define "ct.dns" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
  ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end }}

{{/* The ingress of a service, where values ask for one. Takes (dict "root" $ "component" "server" "service" "x" "port" 1). */}}
{{- define "ct.ingress" -}}
{{- $ingress := .root.Values.ingress }}
{{- if $ingress.enabled }}
{{- if not $ingress.host }}
{{- fail "ingress.enabled needs ingress.host" }}
{{- end }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ .service }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "ct.labels" . | nindent 4 }}
spec:
  {{- with $ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with $ingress.tlsSecret }}
  tls:
    - hosts: [{{ $ingress.host }}]
      secretName: {{ . }}
  {{- end }}
  rules:
    - host: {{ $ingress.host }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {{ .service }}
                port:
                  number: {{ .port }}
{{- end }}
{{- end }}

{{/* The label of pods that keep data. It is ours: CloudNativePG writes app.kubernetes.io/* on its pods itself. Takes the name. */}}
{{- define "ct.store" -}}
continuous-training/store: {{ . }}
{{- end }}
