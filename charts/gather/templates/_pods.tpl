{{/*
What pods have in common. A room is a dict: "root" . "room" "brain" "values" .Values.brain; one that may have several pods
says so by "many".
*/}}

{{/* Where an object stands: namespace and labels, under a name. */}}
{{- define "gather.metadata" -}}
namespace: {{ .root.Release.Namespace | quote }}
labels: {{- include "gather.labels" . | nindent 2 }}
{{- end -}}

{{- define "gather.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "gather.name" . }}
  {{- include "gather.metadata" . | nindent 2 }}
  {{- with (.values.serviceAccount).annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}

{{/* IP families of a Service. */}}
{{- define "gather.ipFamilies" -}}
{{- with .Values.service }}
{{- with .ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .ipFamilies }}
ipFamilies: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Labels and annotations of a room's pods. */}}
{{- define "gather.podMetadata" -}}
labels: {{- include "gather.labels" (dict "root" .root "room" .room "more" .values.podLabels) | nindent 2 }}
{{- with .values.podAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What every container of ours is held to, with podSecurityContext: the restricted profile, a root that cannot be written. */}}
{{- define "gather.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "gather.probes" -}}
startupProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 1
  failureThreshold: 180
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 3
  timeoutSeconds: 3
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

{{/* Pull secrets of all pods. */}}
{{- define "gather.pullSecrets" -}}
{{- with concat (.Values.imagePullSecrets | default list) ((.Values.global).imagePullSecrets | default list) | uniq }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Security context, pull secrets, priority and place of a room's pods; several keep apart unless the values say otherwise. */}}
{{- define "gather.podPlace" -}}
securityContext: {{- .root.Values.podSecurityContext | default dict | toYaml | nindent 2 }}
{{- include "gather.pullSecrets" .root }}
{{- with .values.priorityClassName | default (.root.Values.global).priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- $selector := include "gather.selectorLabels" . | fromYaml }}
{{- if .values.affinity }}
affinity: {{- toYaml .values.affinity | nindent 2 }}
{{- else if .many }}
# One node's end is not the end of them all.
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- toYaml $selector | nindent 14 }}
{{- end }}
{{- with .values.topologySpreadConstraints }}
topologySpreadConstraints:
{{- range . }}
  - {{- hasKey . "labelSelector" | ternary . (set (deepCopy .) "labelSelector" (dict "matchLabels" $selector)) | toYaml | nindent 4 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A room's further variables: env, then extraEnv. */}}
{{- define "gather.moreEnv" -}}
{{- range $name, $value := .values.env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- with .values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Volumes of a pod that serves: its Secret (.secret), room to write (.tmp), and the values' own. */}}
{{- define "gather.volumes" -}}
- name: secrets
  secret: {secretName: {{ .secret }}, defaultMode: 0440}
- name: tmp
  emptyDir: {sizeLimit: {{ .tmp }}}
{{- with .values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "gather.volumeMounts" -}}
- {name: secrets, mountPath: /etc/gather/secrets, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- with .values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* For rooms with several pods; with one it would block every drain. */}}
{{- define "gather.podDisruptionBudget" -}}
{{- $budget := .values.podDisruptionBudget | default dict -}}
{{- if and .many $budget.enabled -}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "gather.name" . }}
  {{- include "gather.metadata" . | nindent 2 }}
# With one replica it would block every drain; with more, one at a time may go.
spec:
  {{- if kindIs "invalid" $budget.minAvailable }}
  maxUnavailable: {{ $budget.maxUnavailable }}
  {{- else }}
  minAvailable: {{ $budget.minAvailable }}
  {{- end }}
  selector:
    matchLabels: {{- include "gather.selectorLabels" . | nindent 6 }}
{{- end }}
{{- end -}}
